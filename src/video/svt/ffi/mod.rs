//! RAII over one SVT-AV1 encoder handle: the only unsafe place of the room.
//!
//! Owns the calls, their order and the process-wide lock; refuses policy (which parameters, what an error
//! means to the user). Return codes go up as they are.
#![allow(unsafe_code)]

use std::ffi::{CStr, CString};
use std::mem::MaybeUninit;
use std::ptr::{self, NonNull};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

mod library;

use svt_av1_sys as sys;

pub(super) use library::several_at_once;
use library::{Api, Lease};

use super::fixed::Mdcv;

/// Held while an encoder is opened or closed: opening fills tables and function pointers of the library, closing frees
/// the list of processors that opening reads.
static ORDER: Mutex<()> = Mutex::new(());

/// Whether closing an encoder waits for a picture even if none was sent: so in 1.4.1, no longer in 2.3.0.
const CLOSING_NEEDS_A_PICTURE: bool =
    sys::SVT_AV1_VERSION_MAJOR < 2 || (sys::SVT_AV1_VERSION_MAJOR == 2 && sys::SVT_AV1_VERSION_MINOR < 3);

/// What the library returns: `EB_ErrorNone` or why not.
pub(super) type Code = sys::EbErrorType;

/// Everything the library is told, already checked.
pub(super) struct Settings {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) bit_depth: u8,
    pub(super) rate: (u32, u32),
    /// Primaries, transfer, matrix.
    pub(super) code_points: [u8; 3],
    pub(super) full_range: bool,
    pub(super) chroma_position: u8,
    pub(super) mdcv: Option<Mdcv>,
    pub(super) cll: Option<[u16; 2]>,
    pub(super) force_keyframes: bool,
    pub(super) parameters: Vec<(CString, CString)>,
}

/// Why no encoder was opened.
#[derive(Debug)]
pub(super) enum OpenError {
    /// Another encoder is open, and the library cannot have two.
    Busy,
    /// The parameter with this index has an unknown name or a bad value.
    Parameter(usize),
    /// The settings do not go together.
    Rejected,
    /// A call failed with this code.
    Call(&'static str, Code),
}

/// A picture's planes, checked against their strides.
pub(super) struct SvtPicture<'a> {
    planes: [&'a [u8]; 3],
    /// In samples.
    strides: [u32; 3],
    /// Bytes of the visible samples.
    visible: u32,
}

impl<'a> SvtPicture<'a> {
    /// `sizes` are `(width, height)` in samples, `strides` in bytes. `None` if a plane is too short or its
    /// rows cannot be addressed by the library (it keeps strides in 16 bits, and samples aligned).
    pub(super) fn new(
        planes: [&'a [u8]; 3],
        strides: [usize; 3],
        sizes: [(usize, usize); 3],
        sample_bytes: usize,
    ) -> Option<Self> {
        let mut samples = [0; 3];
        let mut visible = 0usize;
        for i in 0..3 {
            let ((width, height), stride) = (sizes[i], strides[i]);
            let row = width.checked_mul(sample_bytes)?;
            let needed = stride.checked_mul(height.checked_sub(1)?)?.checked_add(row)?;
            let aligned = stride.is_multiple_of(sample_bytes) && planes[i].as_ptr().addr().is_multiple_of(sample_bytes);
            if row > stride || planes[i].len() < needed || !aligned {
                return None;
            }
            samples[i] = u32::from(u16::try_from(stride / sample_bytes).ok()?);
            visible = visible.checked_add(row.checked_mul(height)?)?;
        }
        Some(SvtPicture { planes, strides: samples, visible: u32::try_from(visible).ok()? })
    }
}

/// One access unit as the library gave it.
pub(super) struct Unit {
    pub(super) pts: i64,
    pub(super) keyframe: bool,
    pub(super) last: bool,
    pub(super) data: Vec<u8>,
}

/// An open encoder.
///
/// Law: pictures are copied by `send`; nothing borrowed outlives a call. After an error from `unit` the
/// encoder is broken: the library's threads may wait for ever, so it is left alone, its memory included.
pub(super) struct Handle {
    api: Api,
    /// Taken from it when it is dropped.
    library: Option<Lease>,
    component: NonNull<sys::EbComponentType>,
    size: (u32, u32),
    sample_bytes: usize,
    sent: bool,
    ended: bool,
    drained: bool,
    broken: bool,
}

// SAFETY: the handle is an opaque heap object without thread affinity (SvtAv1EncApp and FFmpeg call it from
// whichever thread they are in); `&mut self` keeps calls from overlapping.
unsafe impl Send for Handle {}

fn in_order() -> MutexGuard<'static, ()> {
    ORDER.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the owner of the process does around an opening.
static AROUND: OnceLock<fn(bool)> = OnceLock::new();

/// Has `hook` called with `true` before an encoder allocates its memory and with `false` after, never two openings at
/// once, in the thread that opens. Only the first hook of a process counts.
///
/// SVT-AV1 2.3.0 reads memory it never wrote. The first encoder of a process gets fresh pages, which are zero; later
/// ones get what others left, and then at preset 10 one encode in three differed by some bytes from the same encode in
/// a process of its own. Nearly all of an encoder's memory is allocated when it is opened. The allocator is the
/// process's: this library does not touch it, and a program that wants equal bytes of that version for all its
/// encodes has its allocator give out zeroed memory meanwhile. With glibc that is `mallopt(M_PERTURB, 0xff)`, then
/// `mallopt(M_PERTURB, 0)`, as drapto's command line does; other versions need nothing.
pub fn around_opening(hook: fn(opens: bool)) {
    let _ = AROUND.set(hook);
}

/// An encoder is being opened; held under [`ORDER`].
struct Opening(Option<fn(bool)>);

impl Opening {
    fn start() -> Self {
        let hook = AROUND.get().copied();
        if let Some(hook) = hook {
            hook(true);
        }
        Opening(hook)
    }
}

impl Drop for Opening {
    fn drop(&mut self) {
        if let Some(hook) = self.0 {
            hook(false);
        }
    }
}

impl Handle {
    /// Creates, configures and starts an encoder.
    pub(super) fn open(settings: &Settings) -> Result<Handle, OpenError> {
        // From the first call to the last, as closing another encoder in between would free what the later
        // calls read.
        let _order = in_order();
        let library = Lease::take().ok_or(OpenError::Busy)?;
        let api = library.api;
        let _opening = Opening::start();
        let mut component = ptr::null_mut();
        let mut config = MaybeUninit::<sys::EbSvtAv1EncConfiguration>::zeroed();
        // SAFETY: both pointers are to local storage that is writable.
        let code = unsafe { sys::init_handle(api.init_handle, &mut component, config.as_mut_ptr()) };
        let Some(component) = NonNull::new(component).filter(|_| code == sys::EB_ErrorNone) else {
            return Err(OpenError::Call("svt_av1_enc_init_handle", code));
        };
        // SAFETY: zeroed above, for which every field has a valid value (integers, flags, null pointers, and
        // enumerations that bindgen declares as integers), then filled by the library.
        let mut config = unsafe { config.assume_init() };
        match configure(&api, component, &mut config, settings) {
            Ok(()) => Ok(Handle {
                api,
                library: Some(library),
                component,
                size: (settings.width, settings.height),
                sample_bytes: if settings.bit_depth > 8 { 2 } else { 1 },
                sent: false,
                ended: false,
                drained: false,
                broken: false,
            }),
            Err(error) => {
                // SAFETY: the handle is valid, no picture was sent, and it is not used again.
                unsafe { close(&api, component) };
                Err(error)
            }
        }
    }

    /// Gives the library a picture; it is copied before this returns. Waits while the library is full.
    pub(super) fn send(&mut self, picture: &SvtPicture<'_>, pts: i64, keyframe: bool) -> Result<(), Code> {
        // SAFETY: both structs are plain C data for which zero is a valid value.
        let (mut planes, mut buffer) =
            unsafe { (MaybeUninit::<sys::EbSvtIOFormat>::zeroed().assume_init(), empty_buffer()) };
        let [luma, cb, cr] = picture.planes;
        planes.luma = luma.as_ptr().cast_mut();
        planes.cb = cb.as_ptr().cast_mut();
        planes.cr = cr.as_ptr().cast_mut();
        [planes.y_stride, planes.cb_stride, planes.cr_stride] = picture.strides;
        buffer.p_buffer = ptr::from_mut(&mut planes).cast();
        buffer.n_filled_len = picture.visible;
        buffer.n_alloc_len = picture.visible;
        buffer.pts = pts;
        buffer.pic_type = if keyframe { sys::EB_AV1_KEY_PICTURE } else { sys::EB_AV1_INVALID_PICTURE };
        // SAFETY: `SvtPicture::new` checked that the planes reach to the last visible sample; the library reads
        // no further (width samples of each row) and only during the call, which copies them. It does not
        // write through the pointers.
        let code = unsafe { (self.api.send_picture)(self.component.as_ptr(), &mut buffer) };
        self.sent = true;
        if code == sys::EB_ErrorNone { Ok(()) } else { Err(code) }
    }

    /// Tells the library that no more pictures follow. Once; nothing if no picture was sent.
    pub(super) fn end(&mut self) -> Result<(), Code> {
        if self.ended {
            return Ok(());
        }
        self.ended = true;
        if !self.sent {
            self.drained = true;
            return Ok(());
        }
        // SAFETY: plain C data for which zero is a valid value.
        let mut buffer = unsafe { empty_buffer() };
        buffer.flags = sys::EB_BUFFERFLAG_EOS;
        buffer.pic_type = sys::EB_AV1_INVALID_PICTURE;
        // SAFETY: the buffer is local, and an end-of-stream one has no picture.
        let code = unsafe { (self.api.send_picture)(self.component.as_ptr(), &mut buffer) };
        if code == sys::EB_ErrorNone { Ok(()) } else { Err(code) }
    }

    /// The next access unit: before the end `None` means "none yet", after it "no more" (and the call waits).
    pub(super) fn unit(&mut self) -> Result<Option<Unit>, Code> {
        if self.drained || !self.sent {
            return Ok(None);
        }
        if self.broken {
            return Err(sys::EB_ErrorMax);
        }
        let mut buffer = ptr::null_mut();
        // SAFETY: the handle is started; the call waits only after the end was sent, as the library asks.
        let code = unsafe { (self.api.get_packet)(self.component.as_ptr(), &mut buffer, u8::from(self.ended)) };
        if code == sys::EB_NoErrorEmptyQueue {
            self.drained = self.ended;
            return Ok(None);
        }
        if code != sys::EB_ErrorNone || buffer.is_null() {
            self.broken = true;
            return Err(code);
        }
        // SAFETY: on success the buffer is the library's, valid until it is released below.
        let header = unsafe { &*buffer };
        let unit = Unit {
            pts: header.pts,
            keyframe: header.pic_type == sys::EB_AV1_KEY_PICTURE,
            last: header.flags & sys::EB_BUFFERFLAG_EOS != 0,
            // SAFETY: as above; the buffer holds n_filled_len bytes.
            data: unsafe { bytes_of(header) }.to_vec(),
        };
        // SAFETY: the buffer came from get_packet, is released once, and no reference to it is left.
        unsafe { (self.api.release_out_buffer)(&mut buffer) };
        self.drained |= unit.last;
        Ok(Some(unit))
    }
}

impl Handle {
    /// Encodes one black picture, which nobody will see.
    fn send_blank(&mut self) -> Result<(), Code> {
        let (width, height) = (self.size.0 as usize, self.size.1 as usize);
        let chroma = (width.div_ceil(2), height.div_ceil(2));
        let row = width * self.sample_bytes;
        let zeros = vec![0u8; row * height];
        let strides = [row, chroma.0 * self.sample_bytes, chroma.0 * self.sample_bytes];
        let picture = SvtPicture::new([&zeros; 3], strides, [(width, height), chroma, chroma], self.sample_bytes);
        picture.map_or(Err(sys::EB_ErrorBadParameter), |picture| self.send(&picture, 0, false))
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        if CLOSING_NEEDS_A_PICTURE && !self.sent && !self.broken {
            (self.ended, self.drained) = (false, false);
            self.broken = self.send_blank().is_err();
        }
        // Pictures inside the library cannot be taken back: closing waits for them. Doing that here, before
        // the lock is taken, keeps other encoders from waiting too.
        let mut alive = !self.broken && self.end().is_ok();
        while alive && !self.drained {
            alive = self.unit().is_ok();
        }
        let _order = in_order();
        let library = self.library.take();
        if alive {
            // SAFETY: the handle is valid, drained, and not used again.
            unsafe { close(&self.api, self.component) };
        } else if let Some(library) = library {
            library.abandon();
        }
    }
}

/// Copies `settings` into the library's configuration and starts the encoder.
fn configure(
    api: &Api,
    component: NonNull<sys::EbComponentType>,
    config: &mut sys::EbSvtAv1EncConfiguration,
    settings: &Settings,
) -> Result<(), OpenError> {
    config.source_width = settings.width;
    config.source_height = settings.height;
    config.encoder_bit_depth = u32::from(settings.bit_depth);
    config.encoder_color_format = sys::EB_YUV420;
    (config.frame_rate_numerator, config.frame_rate_denominator) = settings.rate;
    let [primaries, transfer, matrix] = settings.code_points;
    config.color_primaries = primaries.into();
    config.transfer_characteristics = transfer.into();
    config.matrix_coefficients = matrix.into();
    config.color_range = settings.full_range.into();
    config.chroma_sample_position = settings.chroma_position.into();
    if let Some(mdcv) = settings.mdcv {
        // The library writes these fields to the stream as they lie in memory, so they are big-endian.
        let [r, g, b, white] = mdcv.points.map(|[x, y]| sys::EbSvtAv1ChromaPoints { x: x.to_be(), y: y.to_be() });
        config.mastering_display = sys::EbSvtAv1MasteringDisplayInfo {
            r,
            g,
            b,
            white_point: white,
            max_luma: mdcv.max_luminance.to_be(),
            min_luma: mdcv.min_luminance.to_be(),
        };
    }
    if let Some([max_cll, max_fall]) = settings.cll {
        config.content_light_level = sys::EbContentLightLevel { max_cll: max_cll.to_be(), max_fall: max_fall.to_be() };
    }
    config.force_key_frames = sys::flag(settings.force_keyframes);
    for (index, (name, value)) in settings.parameters.iter().enumerate() {
        // SAFETY: the configuration is initialised and both strings end in NUL.
        let code = unsafe { (api.parse_parameter)(config, name.as_ptr(), value.as_ptr()) };
        if code != sys::EB_ErrorNone {
            return Err(OpenError::Parameter(index));
        }
    }
    // SAFETY: the handle is valid and the configuration initialised; the library copies it.
    let code = unsafe { (api.set_parameter)(component.as_ptr(), config) };
    match code {
        sys::EB_ErrorNone => {}
        sys::EB_ErrorBadParameter => return Err(OpenError::Rejected),
        code => return Err(OpenError::Call("svt_av1_enc_set_parameter", code)),
    }
    // SAFETY: the handle is valid and configured; the caller holds the lock.
    let code = unsafe { (api.init)(component.as_ptr()) };
    if code != sys::EB_ErrorNone {
        return Err(OpenError::Call("svt_av1_enc_init", code));
    }
    Ok(())
}

/// Stops the library's threads and frees the encoder.
///
/// # Safety
/// `component` must be valid and not used afterwards; the caller holds the lock.
unsafe fn close(api: &Api, component: NonNull<sys::EbComponentType>) {
    // SAFETY: by the contract of this function; deinit before deinit_handle, each once.
    unsafe {
        (api.deinit)(component.as_ptr());
        (api.deinit_handle)(component.as_ptr());
    }
}

/// A buffer header with every field zero and its size set.
///
/// # Safety
/// None beyond the type: zero is valid for each field (integers and null pointers).
unsafe fn empty_buffer() -> sys::EbBufferHeaderType {
    // SAFETY: plain C data; see above.
    let mut buffer: sys::EbBufferHeaderType = unsafe { MaybeUninit::zeroed().assume_init() };
    buffer.size = size_of::<sys::EbBufferHeaderType>() as u32;
    buffer
}

/// The filled bytes of a buffer of the library.
///
/// # Safety
/// `p_buffer` must be null or hold `n_filled_len` bytes.
unsafe fn bytes_of(header: &sys::EbBufferHeaderType) -> &[u8] {
    if header.p_buffer.is_null() || header.n_filled_len == 0 {
        return &[];
    }
    // SAFETY: by the contract of this function.
    unsafe { std::slice::from_raw_parts(header.p_buffer, header.n_filled_len as usize) }
}

/// What `svt_av1_get_version` says.
pub(super) fn version() -> String {
    // SAFETY: takes nothing, returns a static C string.
    unsafe { CStr::from_ptr(sys::svt_av1_get_version()) }.to_string_lossy().into_owned()
}

/// Makes SVT-AV1 print errors only, unless the user set `SVT_LOG`. Call it first thing in `main`.
///
/// The library prints its settings to standard error at every start, and in most versions the environment
/// is the only way to stop it. Changing the environment is safe only while no other thread may read it: on
/// Linux this looks, and does nothing if there are other threads; elsewhere the caller answers for it.
/// Returns whether `SVT_LOG` is set now. A program that starts threads first sets it outside.
pub fn quiet_logs() -> bool {
    if std::env::var_os("SVT_LOG").is_some() {
        return true;
    }
    if cfg!(target_os = "linux") && std::fs::read_dir("/proc/self/task").map_or(0, Iterator::count) != 1 {
        return false;
    }
    // SAFETY: this is the only thread, as was seen above or, where that cannot be seen, as the documentation
    // asks: nobody reads the environment meanwhile.
    unsafe { std::env::set_var("SVT_LOG", "1") };
    true
}
