//! Curves from samples to light, and from more light than a screen has to what it shows.

/// How a sample encodes light.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Transfer {
    Power(f64),
    Srgb,
    /// ITU-R BT.709, and BT.601 and BT.2020, whose curve is the same.
    Bt709,
    Smpte240,
    /// SMPTE ST 2084, perceptual quantiser.
    Pq,
    /// ARIB STD-B67, hybrid log-gamma.
    Hlg,
}

/// The luminance in cd/m² that counts as white in a picture with highlights (ITU-R BT.2408).
const HDR_WHITE: f64 = 203.0;
/// The brightest that is told apart, in cd/m²: that of a mastering display.
const PQ_PEAK: f64 = 4000.0;
/// The display that HLG's system gamma of 1.2 belongs to (ITU-R BT.2100).
const HLG_PEAK: f64 = 1000.0;

impl Transfer {
    /// ITU-T H.273, table 3.
    pub fn of_code_point(code: u8) -> Option<Self> {
        Some(match code {
            1 | 6 | 11 | 12 | 14 | 15 => Self::Bt709,
            4 => Self::Power(2.2),
            5 => Self::Power(2.8),
            7 => Self::Smpte240,
            8 => Self::Power(1.0),
            13 => Self::Srgb,
            16 => Self::Pq,
            // ST 428-1: 48 cd/m² are white at the sample 1, of 52.37 that it could tell.
            17 => Self::Power(2.6),
            18 => Self::Hlg,
            _ => return None,
        })
    }

    /// Whether it tells more light than a screen's white.
    pub const fn has_highlights(self) -> bool {
        matches!(self, Self::Pq | Self::Hlg)
    }

    /// The light of a sample of 0 to 1, where 1 is white; of HLG that of the scene.
    pub fn linear(self, encoded: f64) -> f64 {
        match self {
            Self::Power(power) => encoded.powf(power),
            Self::Srgb if encoded <= 0.040_45 => encoded / 12.92,
            Self::Srgb => ((encoded + 0.055) / 1.055).powf(2.4),
            Self::Bt709 if encoded < 0.081 => encoded / 4.5,
            Self::Bt709 => ((encoded + 0.099) / 1.099).powf(1.0 / 0.45),
            Self::Smpte240 if encoded < 0.0913 => encoded / 4.0,
            Self::Smpte240 => ((encoded + 0.1115) / 1.1115).powf(1.0 / 0.45),
            Self::Pq => pq_luminance(encoded) / HDR_WHITE,
            Self::Hlg => hlg_scene(encoded),
        }
    }

    /// What a screen shows of linear RGB: highlights above its white are compressed.
    ///
    /// By the curve of E. Reinhard et al., "Photographic tone reproduction for digital images",
    /// 2002, equation 4, on the largest of the three, so that hues stay. White then lies in the
    /// middle of the light that is left, as Chromium shows it.
    pub fn shown(self, light: [f32; 3]) -> [f32; 3] {
        let (light, peak) = match self {
            Self::Pq => (light, PQ_PEAK / HDR_WHITE),
            Self::Hlg => (hlg_display(light), HLG_PEAK / HDR_WHITE),
            _ => return light,
        };
        let peak = peak as f32;
        let largest = light[0].max(light[1]).max(light[2]);
        let factor = (1.0 + largest / (peak * peak)) / (1.0 + largest);
        light.map(|sample| sample * factor)
    }
}

/// SMPTE ST 2084, in cd/m².
fn pq_luminance(encoded: f64) -> f64 {
    const M1: f64 = 2610.0 / 16384.0;
    const M2: f64 = 2523.0 / 32.0;
    const C1: f64 = 3424.0 / 4096.0;
    const C2: f64 = 2413.0 / 128.0;
    const C3: f64 = 2392.0 / 128.0;
    let power = encoded.powf(1.0 / M2);
    10_000.0 * ((power - C1).max(0.0) / (C2 - C3 * power)).powf(1.0 / M1)
}

/// ITU-R BT.2100, table 5: the inverse OETF, from 0 to 1.
fn hlg_scene(encoded: f64) -> f64 {
    const A: f64 = 0.178_832_77;
    const B: f64 = 1.0 - 4.0 * A;
    const C: f64 = 0.559_910_73;
    if encoded <= 0.5 {
        encoded * encoded / 3.0
    } else {
        (((encoded - C) / A).exp() + B) / 12.0
    }
}

/// The OOTF of the same table, relative to white.
fn hlg_display(scene: [f32; 3]) -> [f32; 3] {
    const SYSTEM_GAMMA: f32 = 1.2;
    let luminance = 0.2627 * scene[0] + 0.6780 * scene[1] + 0.0593 * scene[2];
    let gain = (HLG_PEAK / HDR_WHITE) as f32 * luminance.max(0.0).powf(SYSTEM_GAMMA - 1.0);
    scene.map(|sample| sample * gain)
}

/// IEC 61966-2-1.
pub fn srgb_encoded(light: f64) -> f64 {
    if light <= 0.003_130_8 {
        light * 12.92
    } else {
        1.055 * light.powf(1.0 / 2.4) - 0.055
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_end_at_black_and_white() {
        for code in [1, 4, 5, 6, 7, 8, 11, 12, 13, 14, 15, 17] {
            let transfer = Transfer::of_code_point(code).unwrap();
            assert_eq!(transfer.linear(0.0), 0.0, "{code}");
            assert!((transfer.linear(1.0) - 1.0).abs() < 1e-9, "{code}");
        }
    }

    #[test]
    fn luminances_of_pq_and_hlg_are_those_of_the_standards() {
        // BT.2408, table 1: 203 cd/m² are 58 % in PQ and 75 % in HLG.
        assert!((pq_luminance(0.58) - 203.0).abs() < 3.0);
        assert!((pq_luminance(1.0) - 10_000.0).abs() < 1e-6);
        let white = hlg_display([hlg_scene(0.75) as f32; 3]);
        assert!((white[0] - 1.0).abs() < 0.01, "{white:?}");
    }

    #[test]
    fn highlights_are_compressed_up_to_the_peak() {
        for (transfer, peak) in [(Transfer::Pq, PQ_PEAK / HDR_WHITE), (Transfer::Hlg, 1.0)] {
            let at = |light: f64| transfer.shown([light as f32; 3])[0];
            assert!((at(peak) - 1.0).abs() < 1e-3, "{transfer:?}: {}", at(peak));
            assert_eq!(at(0.0), 0.0);
            assert!(at(peak / 2.0) < at(peak));
        }
        // Hues stay.
        let [r, g, b] = Transfer::Pq.shown([8.0, 4.0, 2.0]);
        assert!((r / g - 2.0).abs() < 1e-5 && (g / b - 2.0).abs() < 1e-5);
    }
}
