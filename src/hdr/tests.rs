//! Real RPUs of each profile, converted and read back.

use std::path::PathBuf;

use proptest::prelude::*;

use super::*;
use crate::media::{Flip, Rect};

fn rpu(name: &str) -> Option<Vec<u8>> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/media/hdr").join(name);
    match std::fs::read(&path) {
        Ok(bytes) => Some(bytes),
        Err(_) => {
            crate::base::missing(format_args!("{} is not there", path.display()));
            None
        }
    }
}

/// What a message says, without what differs by the way it is carried.
fn content(rpu: &DoviRpu) -> String {
    format!("{:?} {:?} {:?}", rpu.header, rpu.rpu_data_mapping, rpu.vdr_dm_data)
}

const SINGLE: [(&str, Transfer, &str, u8); 5] = [
    ("rpu_profile5.bin", Transfer::PQ, "5", 0),
    ("rpu_profile8.bin", Transfer::PQ, "8.1", 1),
    ("rpu_profile84.bin", Transfer::HLG, "8.4", 4),
    ("rpu_mel_rpu.bin", Transfer::PQ, "7.6 MEL", 1),
    ("rpu_fel_rpu.bin", Transfer::PQ, "7.6 FEL", 1),
];

#[test]
fn each_profile_is_named_and_converted() {
    for (file, transfer, name, compatibility) in SINGLE {
        let Some(bytes) = rpu(file) else { return };
        let found = describe(&bytes, None, transfer).unwrap();
        assert_eq!(found.name(), name, "{file}");
        let conversion = RpuConversion::of(&found).unwrap();
        assert_eq!(conversion.compatibility, compatibility, "{file}");
        let message = super::message(&conversion, &bytes).unwrap();
        let own = parse(&message).unwrap().write_av1_rpu_metadata_obu_t35_complete().unwrap();
        assert_eq!(message[..], own[..], "{file}: wrapped as by the crate");
        let (before, after) = (parse(&bytes).unwrap(), parse(&message).unwrap());
        if found.profile == 7 {
            assert_eq!((after.dovi_profile, after.el_type.is_none()), (8, true), "{file}");
            let (a, b) = (before.vdr_dm_data.unwrap(), after.vdr_dm_data.unwrap());
            assert_eq!(format!("{:?}", a.get_block(1)), format!("{:?}", b.get_block(1)), "the trims stay");
        } else {
            assert_eq!(content(&before), content(&after), "{file}: nothing is changed");
        }
    }
}

#[test]
fn what_the_container_says_goes_before_the_transfer_function_and_cannot_contradict_the_rpu() {
    let Some(bytes) = rpu("rpu_profile8.bin") else { return };
    let said = |profile, compatibility| Some(DolbyVision::new(profile, Some(6), Some(compatibility)));
    assert_eq!(describe(&bytes, said(8, 2), Transfer::PQ).unwrap().name(), "8.2");
    assert_eq!(describe(&bytes, said(9, 2), Transfer::PQ).unwrap().name(), "9.2");
    assert_eq!(describe(&bytes, said(7, 6), Transfer::PQ).unwrap().name(), "8.1");
}

#[test]
fn the_active_area_moves_with_a_crop_and_a_scale() {
    let Some(bytes) = rpu("rpu_fel_rpu.bin") else { return };
    let mut source = parse(&bytes).unwrap();
    source.set_active_area_offsets(10, 20, 276, 274).unwrap();
    let bytes = source.write_hevc_unspec62_nalu().unwrap();
    let conversion = RpuConversion::of(&describe(&bytes, None, Transfer::PQ).unwrap()).unwrap();
    let area = |conversion: RpuConversion| {
        let rpu = parse(&message(&conversion, &bytes).unwrap()).unwrap();
        let Some(ExtMetadataBlock::Level5(area)) = rpu.vdr_dm_data.as_ref().unwrap().get_block(5).cloned() else {
            panic!("no active area")
        };
        area.get_offsets()
    };
    assert_eq!(area(conversion), (10, 20, 276, 274));
    let scope = Rect { x: 0, y: 270, width: 3840, height: 1620 };
    assert_eq!(area(conversion.with_window((3840, 2160), scope, (3840, 1620))), (10, 20, 6, 4));
    assert_eq!(area(conversion.with_window((3840, 2160), scope, (1920, 810))), (5, 10, 3, 2));
    let flipped = |flip| area(conversion.with_window((3840, 2160), scope, (1920, 810)).flipped(Some(flip)));
    assert_eq!(flipped(Flip::Vertical), (5, 10, 2, 3));
    assert_eq!(area(conversion.flipped(Some(Flip::Horizontal))), (20, 10, 276, 274));
    let inner = Rect { x: 16, y: 280, width: 3800, height: 1600 };
    assert_eq!(area(conversion.with_window((3840, 2160), inner, (3800, 1600))), (0, 0, 0, 0));
    assert_eq!(conversion.with_window((8, 8), Rect::whole(8, 8), (8, 8)), conversion);
}

#[test]
fn profiles_without_an_equal_are_refused_by_name() {
    let error = RpuConversion::of(&DolbyVision::new(4, None, Some(2))).unwrap_err();
    assert!(error.to_string().contains("profile 4"), "{error}");
}

proptest! {
    #[test]
    fn any_bytes_are_an_rpu_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..400), kind in 0usize..3) {
        let start: &[u8] = [&[0x19u8, 8, 9][..], &[0xB5, 0, 0x3B, 0, 0, 8, 0, 0x37, 0xCD, 8], &[]][kind];
        let bytes = [start, &bytes].concat();
        let conversion = RpuConversion { compatibility: 1, to_single_layer: true, window: None, flip: None };
        let _ = message(&conversion, &bytes);
    }

    #[test]
    fn a_damaged_rpu_is_an_error_or_still_an_rpu(
        which in 0..SINGLE.len(), changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        keep in any::<prop::sample::Index>(), to_single_layer: bool,
    ) {
        let Some(mut bytes) = rpu(SINGLE[which].0) else { return Ok(()) };
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        let conversion = RpuConversion { compatibility: 1, to_single_layer, window: None, flip: None };
        let _ = message(&conversion, &bytes);
        bytes.truncate(keep.index(bytes.len()));
        let _ = message(&conversion, &bytes);
    }
}
