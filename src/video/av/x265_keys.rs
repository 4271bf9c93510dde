//! The keys x265 knows.
//!
//! Of others libavcodec's wrapper only warns in its log, and goes on without them. Those that are kept from users
//! altogether are not here (see `reserved` in the table). From x265's documentation of its command line, up to version 4.1; an
//! older library still only warns of what is younger than it.
#![deny(unsafe_code)]

/// In the order of the alphabet. Each switch has a twin that begins with `no-`.
#[rustfmt::skip]
pub(super) static X265_KEYS: &[&str] = &[
    "allow-non-conformance", "amp", "analysis-load-reuse-level", "analysis-reuse-level", "analysis-reuse-mode",
    "analysis-save-reuse-level", "aom-film-grain", "aq-mode", "aq-motion", "aq-strength", "asm", "atc-sei", "aud",
    "b-adapt", "b-intra", "b-pyramid", "bframe-bias", "bframes", "cbqpoffs", "chromaloc", "cip", "cll", "colormatrix",
    "colorprim", "const-vbv", "constrained-intra", "copy-pic", "cplxblur", "crf-max", "crf-min", "crop-rect",
    "crqpoffs", "ctu", "ctu-info", "cu-lossless", "cu-stats", "cutree", "deblock", "display-window", "dup-threshold",
    "dynamic-rd", "dynamic-refine", "early-skip", "eob", "eos", "fades", "fast-intra", "film-grain", "force-flush",
    "frame-dup", "frame-rc", "gop-lookahead", "hash", "hdr10", "hdr10-opt", "hevc-aq", "high-tier", "hist-scenecut",
    "hist-threshold", "hme", "hme-range", "hme-search", "hrd-concat", "idr-recovery-sei", "intra-refresh",
    "ip-factor", "ipratio", "level", "level-idc", "lft", "limit-modes", "limit-refs", "limit-sao", "limit-tu",
    "lookahead-slices", "lookahead-threads", "lowpass-dct", "masking-strength", "max-ausize-factor", "max-luma",
    "max-merge", "max-tu-size", "max-vbv-fullness", "mcstf", "me", "merange", "min-cu-size", "min-keyint", "min-luma",
    "min-vbv-fullness", "multi-pass-opt-analysis", "multi-pass-opt-distortion", "nr-inter", "nr-intra",
    "opt-cu-delta-qp", "opt-qp-pps", "opt-ref-list-length-pps", "overscan", "pb-factor", "pbratio", "pic-struct",
    "pme", "pmode", "pools", "psnr", "psy-rd", "psy-rdoq", "qblur", "qcomp", "qg-size", "qp-adaptation-range",
    "qpmax", "qpmin", "qpstep", "radl", "range", "rc-grain", "rc-lookahead", "rd", "rd-refine", "rdoq", "rdoq-level",
    "rdpenalty", "rect", "ref", "refine-analysis-type", "refine-ctu-distortion", "refine-inter", "refine-intra",
    "refine-mv", "rskip", "rskip-edge-threshold", "sao", "sao-non-deblock", "sar", "sbrc", "scale-factor",
    "scaling-list", "scenecut", "scenecut-aware-qp", "scenecut-bias", "selective-sao", "signhide", "single-sei",
    "slices", "slow-firstpass", "splitrd-skip", "ssim", "ssim-rd", "strict-cbr", "strong-intra-smoothing", "subme",
    "svt", "temporal-layers", "temporal-mvp", "traditional-scenecut", "transfer", "tskip", "tskip-fast",
    "tu-inter-depth", "tu-intra-depth", "uhd-bd", "vbv-bufsize", "vbv-end", "vbv-end-fr-adj", "vbv-init",
    "vbv-live-multi-pass", "vbv-maxrate", "videoformat", "vui-hrd-info", "vui-timing-info", "weightb", "weightp",
    "wpp",
];
