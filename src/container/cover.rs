//! Pictures that stand for a file, as libavformat's muxers take them.
#![deny(unsafe_code)]

use crate::av::CoverPicture;
use crate::media::Attachment;
use crate::syntax::picture::{StillKind, still};

/// A JPEG or PNG as a cover; `None` for what is neither.
pub(super) fn cover_picture(attachment: &Attachment) -> Option<CoverPicture<'_>> {
    let still = still(&attachment.data)?;
    let codec = match still.kind {
        StillKind::Jpeg => "mjpeg",
        StillKind::Png => "png",
    };
    Some(CoverPicture { codec, width: still.width, height: still.height, data: &attachment.data })
}
