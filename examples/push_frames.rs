//! Pushes frames of its own (a gradient that moves) into an encoder and writes the packets as an IVF file.
//!
//! ```text
//! cargo run --example push_frames -- gradient.ivf [FRAMES]
//! ```

use std::fs::File;
use std::io::{BufWriter, Write};

use drapto::{CancelToken, EncodedFrame, FrameEncoder, FrameEncoderOptions, PictureMeter, PicturePool};

const SIZE: (u32, u32) = (640, 360);
const RATE: (i32, i32) = (25, 1);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().ok_or("usage: push_frames OUTPUT.ivf [FRAMES]")?;
    let frames: i64 = arguments.next().map_or(Ok(100), |n| n.parse())?;
    drapto::process::quiet_libraries();

    let mut options = FrameEncoderOptions::new(SIZE.0, SIZE.1, RATE);
    options.bit_depth = 8;
    options.set("quality.crf", "35")?;
    options.set("video.preset", "12")?;
    let mut encoder = FrameEncoder::open(&options, &CancelToken::new())?;
    let pool = PicturePool::new(SIZE.0, SIZE.1, 8)?;
    let mut meter = PictureMeter::open("vmaf", SIZE.0, SIZE.1, 8)?;

    let mut file = BufWriter::new(File::create(&path)?);
    write_header(&mut file, frames as u32)?;
    let mut bytes = 0;
    for n in 0..frames {
        let [y, cb, cr] = gradient(n as usize);
        let (width, half) = (SIZE.0 as usize, SIZE.0 as usize / 2);
        let picture = pool.copy([(&y, width), (&cb, half), (&cr, half)])?;
        // Against itself, to show how a meter is fed; a decoder would give the other picture of the pair.
        meter.push(&picture, &picture)?;
        encoder.send(&picture, n, false)?;
        while let Some(packet) = encoder.receive()? {
            bytes += write_packet(&mut file, &packet)?;
        }
    }
    encoder.finish()?;
    while let Some(packet) = encoder.receive()? {
        bytes += write_packet(&mut file, &packet)?;
    }
    file.flush()?;
    println!("{frames} frames, {bytes} bytes; the gradient against itself scores {:.1}", meter.finish()?.mean);
    Ok(())
}

/// Y, Cb and Cr of a gradient that moves by two samples a frame.
fn gradient(n: usize) -> [Vec<u8>; 3] {
    let (width, height) = (SIZE.0 as usize, SIZE.1 as usize);
    let plane = |w: usize, h: usize, step: usize| -> Vec<u8> {
        (0..w * h).map(|i| (16 + (i % w + i / w * step + 2 * n) % 220) as u8).collect()
    };
    [plane(width, height, 1), plane(width / 2, height / 2, 2), plane(width / 2, height / 2, 3)]
}

fn write_header(file: &mut impl Write, frames: u32) -> std::io::Result<()> {
    file.write_all(b"DKIF\0\0\x20\0AV01")?;
    file.write_all(&(SIZE.0 as u16).to_le_bytes())?;
    file.write_all(&(SIZE.1 as u16).to_le_bytes())?;
    [RATE.0 as u32, RATE.1 as u32, frames, 0].iter().try_for_each(|n| file.write_all(&n.to_le_bytes()))
}

/// IVF wants the temporal delimiter that packets leave without.
fn write_packet(file: &mut impl Write, packet: &EncodedFrame) -> std::io::Result<usize> {
    const DELIMITER: [u8; 2] = [0x12, 0];
    let size = DELIMITER.len() + packet.data().len();
    file.write_all(&(size as u32).to_le_bytes())?;
    file.write_all(&packet.pts.to_le_bytes())?;
    file.write_all(&DELIMITER)?;
    file.write_all(packet.data())?;
    Ok(size)
}
