//! The only unsafe code of this room: owners of libvmaf's context, model and picture.
//!
//! Each type frees what it holds when dropped and keeps no pointer it does not own; the one link between them,
//! a context's use of a model, is kept alive by holding both in [`ModelContext`].

use std::ffi::{CStr, c_int, c_uint};
use std::ptr::{self, NonNull};

use libvmaf_sys as sys;

use crate::base::{Error, ErrorKind, Result};

/// `Ok` for libvmaf's 0, else an error that says `what` could not be done and why (a negative errno).
fn check(code: c_int, what: &str) -> Result<()> {
    if code == 0 {
        return Ok(());
    }
    let cause = std::io::Error::from_raw_os_error(code.saturating_abs());
    Err(Error::new(ErrorKind::Encode, format!("libvmaf cannot {what}")).caused_by(cause))
}

/// The version the linked library gives itself.
pub(super) fn version() -> String {
    // SAFETY: vmaf_version takes nothing and returns a NUL-terminated constant of the library.
    unsafe { CStr::from_ptr(sys::vmaf_version()) }.to_string_lossy().into_owned()
}

struct LoadedModel(NonNull<sys::VmafModel>);

impl LoadedModel {
    /// Loads a built-in model by its name in libvmaf.
    fn load(name: &CStr, clip: bool) -> Result<Self> {
        let flags = if clip {
            sys::VmafModelFlags_VMAF_MODEL_FLAGS_DEFAULT
        } else {
            sys::VmafModelFlags_VMAF_MODEL_FLAG_DISABLE_CLIP
        };
        let mut config = sys::VmafModelConfig { name: ptr::null(), flags: u64::from(flags) };
        let mut model = ptr::null_mut();
        // SAFETY: both out pointers live through the call; `name` is NUL-terminated and only read; a null
        // name in the configuration asks for the default.
        let code = unsafe { sys::vmaf_model_load(&mut model, &mut config, name.as_ptr()) };
        match NonNull::new(model) {
            Some(model) if code == 0 => Ok(LoadedModel(model)),
            _ => Err(Error::new(
                ErrorKind::Unsupported,
                format!("libvmaf {} has no built-in model {}", version(), name.to_string_lossy()),
            )),
        }
    }
}

impl Drop for LoadedModel {
    fn drop(&mut self) {
        // SAFETY: the pointer came from vmaf_model_load, is destroyed only here, and the context that used it
        // is gone: in ModelContext it is the field before this one.
        unsafe { sys::vmaf_model_destroy(self.0.as_ptr()) }
    }
}

/// A context: it takes pairs of pictures and keeps what they score.
struct VmafContext(NonNull<sys::VmafContext>);

// SAFETY: libvmaf binds nothing to the thread that made a context (no thread-local state; its own threads
// synchronise by mutex), and every use here goes through &mut or by value, so one thread at a time. A model is
// used by the context it is mounted in alone.
unsafe impl Send for VmafContext {}
// SAFETY: as of Context: plain memory that only the context beside it reads, under the same &mut.
unsafe impl Send for LoadedModel {}

impl VmafContext {
    /// A context that computes on `threads` threads of its own (0: on the caller's) and scores each
    /// `subsample`-th picture.
    fn open(threads: u32, subsample: u32) -> Result<Self> {
        // SAFETY: the configuration is plain integers in every version, for which zero is a value. Fields that
        // came after 2.3 stay zero, so they need not be named.
        let mut config: sys::VmafConfiguration = unsafe { std::mem::zeroed() };
        // A library does not print: what goes wrong comes back as a code.
        config.log_level = sys::VmafLogLevel_VMAF_LOG_LEVEL_NONE;
        config.n_threads = threads;
        config.n_subsample = subsample;
        let mut raw = ptr::null_mut();
        // SAFETY: the out pointer lives through the call and the configuration is passed by value.
        check(unsafe { sys::vmaf_init(&mut raw, config) }, "open a context")?;
        NonNull::new(raw).map(VmafContext).ok_or_else(|| Error::new(ErrorKind::Encode, "libvmaf gave no context"))
    }

    fn read(&mut self, mut reference: MeterPicture, mut distorted: MeterPicture, index: u32) -> Result<()> {
        // SAFETY: the context is alive and both pictures own their memory. libvmaf takes its references out of
        // the structs and clears them where it succeeds; what it left is freed by their Drop.
        let code =
            unsafe { sys::vmaf_read_pictures(self.0.as_ptr(), &mut reference.0, &mut distorted.0, index as c_uint) };
        check(code, "compute the features of a frame")
    }

    fn flush(&mut self) -> Result<()> {
        // SAFETY: the context is alive; two null pictures are the documented way to flush.
        let code = unsafe { sys::vmaf_read_pictures(self.0.as_ptr(), ptr::null_mut(), ptr::null_mut(), 0) };
        check(code, "finish its features")
    }
}

impl Drop for VmafContext {
    fn drop(&mut self) {
        // SAFETY: the context was opened in `open` and is closed only here. It waits for its threads first.
        unsafe { sys::vmaf_close(self.0.as_ptr()) };
    }
}

/// A context that computes one feature, such as `psnr`, of each pair alone.
pub(super) struct FeatureContext {
    context: VmafContext,
    /// The name its scores are kept under.
    score: &'static CStr,
}

impl FeatureContext {
    /// A context for `extractor`, whose scores are kept as `score`, on `threads` threads of its own (0: the
    /// caller's).
    pub(super) fn new(extractor: &CStr, score: &'static CStr, threads: u32) -> Result<Self> {
        let context = VmafContext::open(threads, 1)?;
        // SAFETY: the context is alive, the name is NUL-terminated and only read, and no dictionary means the
        // extractor's own defaults.
        let code = unsafe { sys::vmaf_use_feature(context.0.as_ptr(), extractor.as_ptr(), ptr::null_mut()) };
        check(code, &format!("compute the feature {}", extractor.to_string_lossy()))?;
        Ok(FeatureContext { context, score })
    }

    /// As [`ModelContext::read`].
    pub(super) fn read(&mut self, reference: MeterPicture, distorted: MeterPicture, index: u32) -> Result<()> {
        self.context.read(reference, distorted, index)
    }

    /// As [`ModelContext::flush`].
    pub(super) fn flush(&mut self) -> Result<()> {
        self.context.flush()
    }

    /// The score of picture `index`: once read where the context has no threads, else once flushed.
    pub(super) fn score(&mut self, index: u32) -> Result<f64> {
        let mut score = f64::NAN;
        // SAFETY: the context is alive, the name is NUL-terminated and `score` lives through the call.
        let code = unsafe {
            sys::vmaf_feature_score_at_index(self.context.0.as_ptr(), self.score.as_ptr(), &mut score, index as c_uint)
        };
        check(code, "score a frame")?;
        Ok(score)
    }
}

/// A context that computes several features of each pair, and scores by a model where one is given.
pub(super) struct SetContext {
    /// Dropped, and so closed, before the model it points to.
    context: VmafContext,
    model: Option<LoadedModel>,
}

impl SetContext {
    /// A context on `threads` threads of its own (0: the caller's) that scores each `subsample`-th picture; by the
    /// built-in model `name` where one is given.
    pub(super) fn new(name: Option<&CStr>, threads: u32, subsample: u32) -> Result<Self> {
        let context = VmafContext::open(threads, subsample)?;
        let model = name.map(|name| LoadedModel::load(name, true)).transpose()?;
        let opened = SetContext { context, model };
        if let Some(model) = &opened.model {
            // SAFETY: both pointers are alive; the model outlives the context (the order of the fields).
            let code = unsafe { sys::vmaf_use_features_from_model(opened.context.0.as_ptr(), model.0.as_ptr()) };
            check(code, "use the model")?;
        }
        Ok(opened)
    }

    /// Computes `extractor`, too, with its own defaults.
    ///
    /// # Errors
    /// `Encode` where this library has no such feature.
    pub(super) fn add(&mut self, extractor: &CStr) -> Result<()> {
        // SAFETY: the context is alive, the name is NUL-terminated and only read, and no dictionary means the
        // extractor's own defaults.
        let code = unsafe { sys::vmaf_use_feature(self.context.0.as_ptr(), extractor.as_ptr(), ptr::null_mut()) };
        check(code, &format!("compute the feature {}", extractor.to_string_lossy()))
    }

    /// As [`ModelContext::read`].
    pub(super) fn read(&mut self, reference: MeterPicture, distorted: MeterPicture, index: u32) -> Result<()> {
        self.context.read(reference, distorted, index)
    }

    /// As [`ModelContext::flush`].
    pub(super) fn flush(&mut self) -> Result<()> {
        self.context.flush()
    }

    /// The score of picture `index` by the model, once flushed; `None` without one.
    pub(super) fn model_score(&mut self, index: u32) -> Result<Option<f64>> {
        let Some(model) = &self.model else { return Ok(None) };
        let mut score = f64::NAN;
        // SAFETY: context and model are alive and `score` lives through the call.
        let code =
            unsafe { sys::vmaf_score_at_index(self.context.0.as_ptr(), model.0.as_ptr(), &mut score, index as c_uint) };
        check(code, "score a frame").map(|()| Some(score))
    }

    /// What is kept as `name` of picture `index`, once flushed.
    pub(super) fn feature_score(&mut self, name: &CStr, index: u32) -> Result<f64> {
        let mut score = f64::NAN;
        // SAFETY: the context is alive, the name is NUL-terminated and `score` lives through the call.
        let code = unsafe {
            sys::vmaf_feature_score_at_index(self.context.0.as_ptr(), name.as_ptr(), &mut score, index as c_uint)
        };
        check(code, &format!("give the feature {}", name.to_string_lossy()))?;
        Ok(score)
    }
}

/// A context that computes the features of one model and scores by it.
pub(super) struct ModelContext {
    /// Dropped, and so closed, before the model it points to.
    context: VmafContext,
    model: LoadedModel,
}

impl ModelContext {
    /// A context for the built-in model `name` that computes on `threads` threads of its own (0: on the
    /// caller's) and scores each `subsample`-th picture.
    pub(super) fn new(name: &CStr, clip: bool, threads: u32, subsample: u32) -> Result<Self> {
        let context = VmafContext::open(threads, subsample)?;
        // After vmaf_init, because that is what silences the log of a model that fails to load.
        let model = LoadedModel::load(name, clip)?;
        // SAFETY: both pointers are alive; the model outlives the context (the order of the fields).
        let code = unsafe { sys::vmaf_use_features_from_model(context.0.as_ptr(), model.0.as_ptr()) };
        let opened = ModelContext { context, model };
        check(code, "use the model")?;
        Ok(opened)
    }

    /// Gives a pair to the context. Pictures must come with `index` 0, 1, 2 and so on.
    pub(super) fn read(&mut self, reference: MeterPicture, distorted: MeterPicture, index: u32) -> Result<()> {
        self.context.read(reference, distorted, index)
    }

    /// Ends the stream: no picture can be read after it.
    pub(super) fn flush(&mut self) -> Result<()> {
        self.context.flush()
    }

    /// The score of picture `index`, once flushed.
    pub(super) fn score(&mut self, index: u32) -> Result<f64> {
        let mut score = f64::NAN;
        let (context, model) = (self.context.0.as_ptr(), self.model.0.as_ptr());
        // SAFETY: context and model are alive and `score` lives through the call.
        let code = unsafe { sys::vmaf_score_at_index(context, model, &mut score, index as c_uint) };
        check(code, "score a frame")?;
        Ok(score)
    }

    /// libvmaf's own pooling over pictures 0 to `last`: `(mean, harmonic mean, min)`.
    #[cfg(test)]
    pub(super) fn pooled(&mut self, last: u32) -> Result<(f64, f64, f64)> {
        let (context, model) = (self.context.0.as_ptr(), self.model.0.as_ptr());
        let pool = |method| {
            let mut score = f64::NAN;
            // SAFETY: context and model are alive and `score` lives through the call.
            let code = unsafe { sys::vmaf_score_pooled(context, model, method, &mut score, 0, last) };
            check(code, "pool its scores").map(|()| score)
        };
        Ok((
            pool(sys::VmafPoolingMethod_VMAF_POOL_METHOD_MEAN)?,
            pool(sys::VmafPoolingMethod_VMAF_POOL_METHOD_HARMONIC_MEAN)?,
            pool(sys::VmafPoolingMethod_VMAF_POOL_METHOD_MIN)?,
        ))
    }
}

/// A picture in libvmaf's own memory, zeroed, until a context takes it.
///
/// libvmaf frees the planes itself by a callback its public header does not let one set, so the samples of a
/// frame have to be copied in; a picture of foreign planes is not possible.
pub(super) struct MeterPicture(sys::VmafPicture);

impl MeterPicture {
    /// A picture of `width` × `height`: 4:2:0, or luma only.
    pub(super) fn alloc(width: u32, height: u32, depth: u8, chroma: bool) -> Result<Self> {
        // SAFETY: the struct is integers and pointers, for which zero is a value.
        let mut picture: sys::VmafPicture = unsafe { std::mem::zeroed() };
        let format =
            if chroma { sys::VmafPixelFormat_VMAF_PIX_FMT_YUV420P } else { sys::VmafPixelFormat_VMAF_PIX_FMT_YUV400P };
        // SAFETY: the struct lives through the call, which overwrites it.
        let code = unsafe { sys::vmaf_picture_alloc(&mut picture, format, u32::from(depth), width, height) };
        if code != 0 {
            // What a failed call left in the struct was freed by it, so it is not to be unreferenced.
            check(code, "allocate a picture")?;
        }
        Ok(MeterPicture(picture))
    }

    /// `(width, height)` of plane `index` in samples; zeros where there is no such plane.
    pub(super) fn plane_size(&self, index: usize) -> (usize, usize) {
        match (self.0.w.get(index), self.0.h.get(index)) {
            (Some(&w), Some(&h)) => (w as usize, h as usize),
            _ => (0, 0),
        }
    }

    /// The bytes of row `y` of plane `index`; empty outside of the picture.
    pub(super) fn row_mut(&mut self, index: usize, y: usize) -> &mut [u8] {
        let (width, height) = self.plane_size(index);
        if y >= height || width == 0 {
            return &mut [];
        }
        let bytes = width * if self.0.bpc > 8 { 2 } else { 1 };
        // SAFETY: vmaf_picture_alloc made plane `index` (w > 0) of h rows, `stride` bytes apart, each at least
        // `bytes` long and initialised to zero; y < h; the slice borrows the picture, so it is the only one.
        unsafe {
            let start = self.0.data[index].cast::<u8>().offset(self.0.stride[index] * y as isize);
            std::slice::from_raw_parts_mut(start, bytes)
        }
    }
}

impl Drop for MeterPicture {
    fn drop(&mut self) {
        if !self.0.ref_.is_null() {
            // SAFETY: a non-null `ref` is a reference this struct still owns: taking it clears the field.
            unsafe { sys::vmaf_picture_unref(&mut self.0) };
        }
    }
}
