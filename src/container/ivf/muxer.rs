//! IVF behind the trait of all muxers.
#![deny(unsafe_code)]

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};

use super::{FRAMES_AT, IvfCodec, IvfHeader, IvfWriter, failed};
use crate::base::{Error, ErrorKind, Rational, Result};
use crate::container::muxer::{Lane, MuxStats, Muxer, TrackCount};
use crate::media::{FileParams, Packet, TrackId, TrackKind};
use crate::syntax::av1::block_data;

/// Writes the one AV1 track of a file as IVF.
///
/// Law: the pictures' order is kept and their times are not; the header names the frame rate where all pictures last
/// equally long.
pub struct IvfMuxer {
    writer: IvfWriter<File>,
    count: TrackCount,
    bytes: u64,
}

impl IvfMuxer {
    /// Writes the header to `file`.
    ///
    /// # Errors
    /// `Encode` unless there is one track, of AV1; `Output` where the file cannot be written.
    pub fn new(file: File, params: &FileParams) -> Result<Self> {
        let [track] = &params.tracks[..] else {
            return Err(Error::new(ErrorKind::Encode, format!("IVF holds one track, not {}", params.tracks.len())));
        };
        let TrackKind::Video(video) = &track.kind else {
            return Err(Error::new(ErrorKind::Encode, "IVF holds video only"));
        };
        if !video.codec.is("av1") {
            return Err(Error::new(ErrorKind::Encode, format!("IVF is written for AV1, not {}", video.codec.name())));
        }
        let rate = video.frame_duration.and_then(|d| rate(d.ticks(), d.base()));
        let size = |n: u32| u16::try_from(n).unwrap_or(0);
        let header = IvfHeader {
            width: size(video.width),
            height: size(video.height),
            rate: rate.unwrap_or(Rational::ONE),
            frames: 0,
            codec: IvfCodec::Av1,
        };
        Ok(IvfMuxer { writer: IvfWriter::new(file, &header)?, count: TrackCount::of(track), bytes: 32 })
    }
}

fn rate(ticks: i64, base: Rational) -> Option<Rational> {
    Rational::positive(base.den(), base.num().checked_mul(i32::try_from(ticks).ok()?)?)
}

impl Muxer for IvfMuxer {
    fn lanes(&self) -> Vec<Lane> {
        vec![Lane { gating: true, delay_ns: 0 }]
    }

    fn write(&mut self, track: TrackId, packet: &Packet) -> Result<()> {
        if track != TrackId(0) {
            return Err(Error::new(ErrorKind::Encode, format!("no track {}, IVF has one", track.0 + 1)).at(packet.pts));
        }
        let unit = block_data(&packet.data).map_err(|e| e.at(packet.pts))?;
        self.writer.write(self.count.frames(), &unit).map_err(|e| e.at(packet.pts))?;
        self.count.packet(packet, unit.len());
        self.bytes += (unit.len() + super::FRAME_HEADER + super::DELIMITER.len()) as u64;
        Ok(())
    }

    fn bytes_written(&self) -> u64 {
        self.bytes
    }

    fn finish(self: Box<Self>) -> Result<MuxStats> {
        let frames = u32::try_from(self.count.frames()).unwrap_or(u32::MAX);
        let mut file = self.writer.into_inner();
        let patched = file
            .seek(SeekFrom::Start(FRAMES_AT))
            .and_then(|_| file.write_all(&frames.to_le_bytes()))
            .and_then(|()| file.seek(SeekFrom::End(0)))
            .and_then(|_| file.flush());
        patched.map_err(failed)?;
        Ok(MuxStats::of(&[self.count], self.bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Span, Timestamp};
    use crate::container::IvfReader;
    use crate::container::ivf::read_header;
    use crate::media::{PacketData, TrackParams, VideoTrackParams};

    #[test]
    fn a_file_says_how_many_pictures_it_holds() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out.ivf");
        let mut video = VideoTrackParams::new("av1", vec![0x81, 0, 0, 0], 64, 48);
        video.frame_duration = Some(Span::new(1, Rational::new(1001, 24_000).unwrap()));
        let params = FileParams { tracks: vec![TrackParams::new(TrackKind::Video(video))], ..FileParams::default() };
        let mut muxer = Box::new(IvfMuxer::new(File::create(&path).unwrap(), &params).unwrap());
        for n in 0..3u8 {
            let time = Timestamp::new(n.into(), Rational::MILLI);
            muxer.write(TrackId(0), &Packet::new(time, PacketData::new(vec![0x2a, 1, n]))).unwrap();
        }
        assert!(
            muxer.write(TrackId(1), &Packet::new(Timestamp::new(0, Rational::MILLI), PacketData::new([]))).is_err()
        );
        let stats = muxer.finish().unwrap();
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!((stats.bytes, stats.tracks[0].frames), (bytes.len() as u64, 3));
        let mut reader = IvfReader::new(&bytes[..]).unwrap();
        let header = read_header(&mut &bytes[..]).unwrap();
        assert_eq!((header.frames, header.rate), (3, Rational::new(24_000, 1001).unwrap()));
        let mut units = 0;
        while reader.next().unwrap().is_some() {
            units += 1;
        }
        assert_eq!(units, 3);
    }
}
