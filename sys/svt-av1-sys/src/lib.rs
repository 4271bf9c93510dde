//! Declarations of SVT-AV1 (under construction).
