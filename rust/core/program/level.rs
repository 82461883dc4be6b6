//! The levels of SIMD.

/// What the processor offers; every level gives the same numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// What every processor of the kind has: SSE2, or NEON.
    Baseline,
    /// AVX2 and fused multiply-add.
    Avx2,
    /// AVX-512 with its double-word instructions.
    Avx512,
}

impl Level {
    /// The levels that this processor has, the best one last.
    #[must_use]
    pub fn available() -> Vec<Level> {
        #[allow(unused_mut, reason = "other processors have only one")]
        let mut levels = vec![Level::Baseline];
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                levels.push(Level::Avx2);
                if ["avx512f", "avx512dq", "avx512vl"].iter().all(|f| detected(f)) {
                    levels.push(Level::Avx512);
                }
            }
        }
        levels
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Level::Baseline if cfg!(target_arch = "aarch64") => "NEON",
            Level::Baseline => "baseline",
            Level::Avx2 => "AVX2",
            Level::Avx512 => "AVX-512",
        }
    }
}

#[cfg(target_arch = "x86_64")]
fn detected(feature: &str) -> bool {
    match feature {
        "avx512f" => is_x86_feature_detected!("avx512f"),
        "avx512dq" => is_x86_feature_detected!("avx512dq"),
        _ => is_x86_feature_detected!("avx512vl"),
    }
}
