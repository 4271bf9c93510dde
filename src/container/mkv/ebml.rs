//! EBML (RFC 8794) as Matroska (RFC 9559) uses it: element ids, sizes, and a builder for finished elements.
//!
//! Owns the byte layout of elements; knows nothing of what they mean. Every size it writes is known: a
//! master element is built in memory and written whole.
#![deny(unsafe_code)]

/// Element ids, under the names of RFC 9559 §5 and RFC 8794 §11. The marker bits are part of the value.
pub mod id {
    #![allow(missing_docs)]
    pub const EBML: u32 = 0x1A45_DFA3;
    pub const EBML_VERSION: u32 = 0x4286;
    pub const EBML_READ_VERSION: u32 = 0x42F7;
    pub const EBML_MAX_ID_LENGTH: u32 = 0x42F2;
    pub const EBML_MAX_SIZE_LENGTH: u32 = 0x42F3;
    pub const DOC_TYPE: u32 = 0x4282;
    pub const DOC_TYPE_VERSION: u32 = 0x4287;
    pub const DOC_TYPE_READ_VERSION: u32 = 0x4285;
    pub const VOID: u32 = 0xEC;
    pub const CRC_32: u32 = 0xBF;
    pub const SEGMENT: u32 = 0x1853_8067;

    pub const SEEK_HEAD: u32 = 0x114D_9B74;
    pub const SEEK: u32 = 0x4DBB;
    pub const SEEK_ID: u32 = 0x53AB;
    pub const SEEK_POSITION: u32 = 0x53AC;

    pub const INFO: u32 = 0x1549_A966;
    pub const TIMESTAMP_SCALE: u32 = 0x2A_D7B1;
    pub const DURATION: u32 = 0x4489;
    pub const TITLE: u32 = 0x7BA9;
    pub const MUXING_APP: u32 = 0x4D80;
    pub const WRITING_APP: u32 = 0x5741;

    pub const TRACKS: u32 = 0x1654_AE6B;
    pub const TRACK_ENTRY: u32 = 0xAE;
    pub const TRACK_NUMBER: u32 = 0xD7;
    pub const TRACK_UID: u32 = 0x73C5;
    pub const TRACK_TYPE: u32 = 0x83;
    pub const FLAG_ENABLED: u32 = 0xB9;
    pub const FLAG_DEFAULT: u32 = 0x88;
    pub const FLAG_FORCED: u32 = 0x55AA;
    pub const FLAG_HEARING_IMPAIRED: u32 = 0x55AB;
    pub const FLAG_VISUAL_IMPAIRED: u32 = 0x55AC;
    pub const FLAG_TEXT_DESCRIPTIONS: u32 = 0x55AD;
    pub const FLAG_ORIGINAL: u32 = 0x55AE;
    pub const FLAG_COMMENTARY: u32 = 0x55AF;
    pub const FLAG_LACING: u32 = 0x9C;
    pub const DEFAULT_DURATION: u32 = 0x23_E383;
    pub const MAX_BLOCK_ADDITION_ID: u32 = 0x55EE;
    pub const BLOCK_ADDITION_MAPPING: u32 = 0x41E4;
    pub const BLOCK_ADD_ID_NAME: u32 = 0x41A4;
    pub const BLOCK_ADD_ID_TYPE: u32 = 0x41E7;
    pub const BLOCK_ADD_ID_EXTRA_DATA: u32 = 0x41ED;
    pub const NAME: u32 = 0x536E;
    pub const LANGUAGE: u32 = 0x22_B59C;
    pub const LANGUAGE_BCP47: u32 = 0x22_B59D;
    pub const CODEC_ID: u32 = 0x86;
    pub const CODEC_PRIVATE: u32 = 0x63A2;
    pub const CODEC_DELAY: u32 = 0x56AA;
    pub const SEEK_PRE_ROLL: u32 = 0x56BB;

    pub const VIDEO: u32 = 0xE0;
    pub const FLAG_INTERLACED: u32 = 0x9A;
    pub const FIELD_ORDER: u32 = 0x9D;
    pub const STEREO_MODE: u32 = 0x53B8;
    pub const ALPHA_MODE: u32 = 0x53C0;
    pub const PIXEL_CROP_BOTTOM: u32 = 0x54AA;
    pub const PIXEL_CROP_TOP: u32 = 0x54BB;
    pub const PIXEL_CROP_LEFT: u32 = 0x54CC;
    pub const PIXEL_CROP_RIGHT: u32 = 0x54DD;
    pub const PIXEL_WIDTH: u32 = 0xB0;
    pub const PIXEL_HEIGHT: u32 = 0xBA;
    pub const DISPLAY_WIDTH: u32 = 0x54B0;
    pub const DISPLAY_HEIGHT: u32 = 0x54BA;
    pub const DISPLAY_UNIT: u32 = 0x54B2;
    pub const COLOUR: u32 = 0x55B0;
    pub const MATRIX_COEFFICIENTS: u32 = 0x55B1;
    pub const BITS_PER_CHANNEL: u32 = 0x55B2;
    pub const CHROMA_SITING_HORZ: u32 = 0x55B7;
    pub const CHROMA_SITING_VERT: u32 = 0x55B8;
    pub const RANGE: u32 = 0x55B9;
    pub const TRANSFER_CHARACTERISTICS: u32 = 0x55BA;
    pub const PRIMARIES: u32 = 0x55BB;
    pub const MAX_CLL: u32 = 0x55BC;
    pub const MAX_FALL: u32 = 0x55BD;
    pub const MASTERING_METADATA: u32 = 0x55D0;
    pub const PRIMARY_R_CHROMATICITY_X: u32 = 0x55D1;
    pub const PRIMARY_R_CHROMATICITY_Y: u32 = 0x55D2;
    pub const PRIMARY_G_CHROMATICITY_X: u32 = 0x55D3;
    pub const PRIMARY_G_CHROMATICITY_Y: u32 = 0x55D4;
    pub const PRIMARY_B_CHROMATICITY_X: u32 = 0x55D5;
    pub const PRIMARY_B_CHROMATICITY_Y: u32 = 0x55D6;
    pub const WHITE_POINT_CHROMATICITY_X: u32 = 0x55D7;
    pub const WHITE_POINT_CHROMATICITY_Y: u32 = 0x55D8;
    pub const LUMINANCE_MAX: u32 = 0x55D9;
    pub const LUMINANCE_MIN: u32 = 0x55DA;
    pub const PROJECTION: u32 = 0x7670;
    pub const PROJECTION_TYPE: u32 = 0x7671;
    pub const PROJECTION_POSE_YAW: u32 = 0x7673;
    pub const PROJECTION_POSE_PITCH: u32 = 0x7674;
    pub const PROJECTION_POSE_ROLL: u32 = 0x7675;

    pub const AUDIO: u32 = 0xE1;
    pub const SAMPLING_FREQUENCY: u32 = 0xB5;
    pub const CHANNELS: u32 = 0x9F;
    pub const BIT_DEPTH: u32 = 0x6264;

    pub const CHAPTERS: u32 = 0x1043_A770;
    pub const EDITION_ENTRY: u32 = 0x45B9;
    pub const EDITION_UID: u32 = 0x45BC;
    pub const EDITION_FLAG_HIDDEN: u32 = 0x45BD;
    pub const EDITION_FLAG_DEFAULT: u32 = 0x45DB;
    pub const EDITION_FLAG_ORDERED: u32 = 0x45DD;
    pub const CHAPTER_ATOM: u32 = 0xB6;
    pub const CHAPTER_UID: u32 = 0x73C4;
    pub const CHAPTER_STRING_UID: u32 = 0x5654;
    pub const CHAPTER_FLAG_HIDDEN: u32 = 0x98;
    pub const CHAPTER_FLAG_ENABLED: u32 = 0x4598;
    pub const CHAPTER_TRACK: u32 = 0x8F;
    pub const CHAPTER_TRACK_UID: u32 = 0x89;
    pub const CHAPTER_TIME_START: u32 = 0x91;
    pub const CHAPTER_TIME_END: u32 = 0x92;
    pub const CHAPTER_DISPLAY: u32 = 0x80;
    pub const CHAP_STRING: u32 = 0x85;
    pub const CHAP_LANGUAGE: u32 = 0x437C;
    pub const CHAP_LANGUAGE_BCP47: u32 = 0x437D;
    pub const CHAP_COUNTRY: u32 = 0x437E;

    pub const ATTACHMENTS: u32 = 0x1941_A469;
    pub const ATTACHED_FILE: u32 = 0x61A7;
    pub const FILE_DESCRIPTION: u32 = 0x467E;
    pub const FILE_NAME: u32 = 0x466E;
    pub const FILE_MEDIA_TYPE: u32 = 0x4660;
    pub const FILE_DATA: u32 = 0x465C;
    pub const FILE_UID: u32 = 0x46AE;

    pub const CLUSTER: u32 = 0x1F43_B675;
    pub const TIMESTAMP: u32 = 0xE7;
    pub const SIMPLE_BLOCK: u32 = 0xA3;
    pub const BLOCK_GROUP: u32 = 0xA0;
    pub const BLOCK: u32 = 0xA1;
    pub const BLOCK_ADDITIONS: u32 = 0x75A1;
    pub const BLOCK_MORE: u32 = 0xA6;
    pub const BLOCK_ADD_ID: u32 = 0xEE;
    pub const BLOCK_ADDITIONAL: u32 = 0xA5;
    pub const BLOCK_DURATION: u32 = 0x9B;
    pub const REFERENCE_BLOCK: u32 = 0xFB;
    pub const DISCARD_PADDING: u32 = 0x75A2;

    pub const CUES: u32 = 0x1C53_BB6B;
    pub const CUE_POINT: u32 = 0xBB;
    pub const CUE_TIME: u32 = 0xB3;
    pub const CUE_TRACK_POSITIONS: u32 = 0xB7;
    pub const CUE_TRACK: u32 = 0xF7;
    pub const CUE_CLUSTER_POSITION: u32 = 0xF1;
    pub const CUE_RELATIVE_POSITION: u32 = 0xF0;
    pub const CUE_DURATION: u32 = 0xB2;

    pub const TAGS: u32 = 0x1254_C367;
    pub const TAG: u32 = 0x7373;
    pub const TARGETS: u32 = 0x63C0;
    pub const TARGET_TYPE_VALUE: u32 = 0x68CA;
    pub const TAG_TRACK_UID: u32 = 0x63C5;
    pub const TARGET_TYPE: u32 = 0x63CA;
    pub const TAG_EDITION_UID: u32 = 0x63C9;
    pub const TAG_CHAPTER_UID: u32 = 0x63C4;
    pub const TAG_ATTACHMENT_UID: u32 = 0x63C6;
    pub const TAG_LANGUAGE_BCP47: u32 = 0x447B;
    pub const TAG_DEFAULT: u32 = 0x4484;
    pub const TAG_BINARY: u32 = 0x4485;
    pub const SIMPLE_TAG: u32 = 0x67C8;
    pub const TAG_NAME: u32 = 0x45A3;
    pub const TAG_LANGUAGE: u32 = 0x447A;
    pub const TAG_STRING: u32 = 0x4487;
}

/// The largest size an element can have (RFC 8794 §4: 56 bits, all ones being "unknown").
pub const MAX_SIZE: u64 = (1 << 56) - 2;

/// Appends an element id: its bytes without leading zeros.
pub fn put_id(out: &mut Vec<u8>, id: u32) {
    let bytes = id.to_be_bytes();
    let skip = (id.leading_zeros() / 8).min(3) as usize;
    out.extend_from_slice(&bytes[skip..]);
}

/// Appends an element size (or a track number) in as few bytes as hold it (RFC 8794 §4).
///
/// All value bits set means "unknown", so that value takes one byte more. Sizes above [`MAX_SIZE`] do not
/// occur: the longest element is far shorter than the machine's memory.
pub fn put_size(out: &mut Vec<u8>, size: u64) {
    debug_assert!(size <= MAX_SIZE);
    let mut length = 1;
    while length < 8 && size >= (1 << (7 * length)) - 1 {
        length += 1;
    }
    let marked = size | (1 << (7 * length));
    out.extend_from_slice(&marked.to_be_bytes()[8 - length..]);
}

/// A size in exactly eight bytes, for sizes that are patched later.
pub fn size8(size: u64) -> [u8; 8] {
    (size | (1 << 56)).to_be_bytes()
}

/// "Unknown size" in eight bytes: what a Segment says of itself until it is finished.
pub const UNKNOWN_SIZE8: [u8; 8] = [0x01, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF];

/// A Void element of exactly `total` bytes, header included.
///
/// `total` is at least 2; a Void cannot be shorter.
pub fn void(total: usize) -> Vec<u8> {
    debug_assert!(total >= 2);
    let mut out = Vec::with_capacity(total);
    put_id(&mut out, id::VOID);
    if total >= 10 {
        out.extend_from_slice(&size8(total as u64 - 9));
    } else {
        put_size(&mut out, total.saturating_sub(2) as u64);
    }
    out.resize(total, 0);
    out
}

/// The content of a master element while it is built: child elements one after another.
#[derive(Clone, Debug, Default)]
pub struct Master(Vec<u8>);

impl Master {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Bytes so far.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing was added.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The children's bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// An unsigned integer in as few bytes as hold it, at least one (older readers refuse none).
    pub fn uint(&mut self, id: u32, value: u64) -> &mut Self {
        let skip = (value.leading_zeros() / 8).min(7) as usize;
        self.bytes(id, &value.to_be_bytes()[skip..])
    }

    /// A signed integer in as few bytes as hold it.
    pub fn int(&mut self, id: u32, value: i64) -> &mut Self {
        let bytes = value.to_be_bytes();
        let mut skip = 0;
        // A leading byte may go while the next one still carries the same sign bit.
        while skip < 7
            && bytes[skip] == if value < 0 { 0xFF } else { 0 }
            && (bytes[skip + 1] & 0x80 != 0) == (value < 0)
        {
            skip += 1;
        }
        self.bytes(id, &bytes[skip..])
    }

    /// A double.
    pub fn float(&mut self, id: u32, value: f64) -> &mut Self {
        self.bytes(id, &value.to_be_bytes())
    }

    /// A string; a zero byte would end it early in a reader, so none is written.
    pub fn text(&mut self, id: u32, value: &str) -> &mut Self {
        if value.contains('\0') {
            return self.bytes(id, value.replace('\0', "").as_bytes());
        }
        self.bytes(id, value.as_bytes())
    }

    /// Bytes as they are.
    pub fn bytes(&mut self, id: u32, value: &[u8]) -> &mut Self {
        put_id(&mut self.0, id);
        put_size(&mut self.0, value.len() as u64);
        self.0.extend_from_slice(value);
        self
    }

    /// A finished child master, also an empty one.
    pub fn master(&mut self, id: u32, child: &Master) -> &mut Self {
        self.bytes(id, &child.0)
    }

    /// A finished child master, unless it is empty.
    pub fn master_if_any(&mut self, id: u32, child: &Master) -> &mut Self {
        if !child.is_empty() {
            self.master(id, child);
        }
        self
    }

    /// Finished elements one after another, as another `Master` holds them.
    pub fn raw(&mut self, elements: &[u8]) -> &mut Self {
        self.0.extend_from_slice(elements);
        self
    }

    /// This content as an element of its own.
    pub fn into_element(self, id: u32) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.0.len() + 12);
        put_id(&mut out, id);
        put_size(&mut out, self.0.len() as u64);
        out.extend_from_slice(&self.0);
        out
    }
}

/// A number made from content, for UIDs: FNV-1a over the parts, each closed by its length, then mixed
/// (the finaliser of MurmurHash3) and kept to 1..=2^63−1, which every reader holds.
pub fn content_uid(parts: &[&[u8]]) -> u64 {
    let mut hash = 0xCBF2_9CE4_8422_2325_u64;
    let mut eat = |byte: u8| hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3);
    for part in parts {
        part.iter().copied().for_each(&mut eat);
        (part.len() as u64).to_le_bytes().into_iter().for_each(&mut eat);
    }
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xFF51_AFD7_ED55_8CCD);
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xC4CE_B9FE_1A85_EC53);
    ((hash ^ (hash >> 33)) & (u64::MAX >> 1)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The other direction, by the text of RFC 8794 §4.
    fn read_size(bytes: &[u8]) -> (u64, usize) {
        let length = bytes[0].leading_zeros() as usize + 1;
        let mut value = u64::from(bytes[0]) & ((1u64 << (8 - length)) - 1);
        for byte in &bytes[1..length] {
            value = value << 8 | u64::from(*byte);
        }
        (value, length)
    }

    proptest! {
        #[test]
        fn a_size_is_read_back_and_is_never_the_unknown_one(size in 0..=MAX_SIZE, short in 0u64..1 << 22) {
            for size in [size, short] {
                let mut out = Vec::new();
                put_size(&mut out, size);
                let (value, length) = read_size(&out);
                prop_assert_eq!((value, length), (size, out.len()));
                prop_assert!(value != (1u64 << (7 * length)) - 1);
            }
        }

        #[test]
        fn a_signed_integer_is_read_back_by_sign_extension(value: i64, small in -40_000i64..40_000) {
            for value in [value, small] {
                let mut master = Master::new();
                master.int(id::DISCARD_PADDING, value);
                let body = &master.as_bytes()[3..];
                let start = if body[0] & 0x80 != 0 { -1i64 } else { 0 };
                prop_assert_eq!(body.iter().fold(start, |v, b| v << 8 | i64::from(*b)), value);
            }
        }

        #[test]
        fn a_void_is_as_long_as_asked(total in 2usize..5000) {
            let element = void(total);
            prop_assert_eq!(element.len(), total);
            let (size, length) = read_size(&element[1..]);
            prop_assert_eq!(1 + length + size as usize, total);
        }
    }

    #[test]
    fn sizes_take_the_fewest_bytes() {
        let bytes = |n| {
            let mut out = Vec::new();
            put_size(&mut out, n);
            out
        };
        assert_eq!(bytes(0), [0x80]);
        assert_eq!(bytes(126), [0xFE]);
        assert_eq!(bytes(127), [0x40, 0x7F]);
        assert_eq!(bytes(16_382), [0x7F, 0xFE]);
        assert_eq!(bytes(16_383), [0x20, 0x3F, 0xFF]);
    }

    #[test]
    fn a_uid_depends_on_where_the_parts_end() {
        assert_ne!(content_uid(&[b"ab", b"c"]), content_uid(&[b"a", b"bc"]));
        assert_eq!(content_uid(&[b"ab", b"c"]), content_uid(&[b"ab", b"c"]));
    }
}
