//! Files of rare kinds, and of kinds that are often a little wrong: what other decoders show of each
//! is what we show.
//!
//! `fixtures/kinds` has one small file of each. The right values are of the thumbnail that Pillow 13
//! or, where it is wrong, Chromium 156 gives.

use crate::picture::{Picture, fixture, thumbnail_of};

/// What the thumbnail of a file looks like.
struct Kind {
    file: &'static str,
    size: (usize, usize),
    /// The mean of all pixels, RGB.
    mean: [u8; 3],
    /// The means of 5 × 5 pixels at a quarter, at half and at three quarters of both sides.
    at: [u32; 3],
}

/// Of each sample. Decoders round chroma differently, and damage leaves different rubbish.
const TOLERANCE: f64 = 6.0;

fn mean(
    picture: &Picture,
    columns: std::ops::Range<usize>,
    rows: std::ops::Range<usize>,
) -> [f64; 3] {
    let count = (columns.len() * rows.len()) as f64;
    let mut sums = [0.0; 3];
    for y in rows {
        for x in columns.clone() {
            for (sum, sample) in sums.iter_mut().zip(picture.at(x, y)) {
                *sum += f64::from(*sample);
            }
        }
    }
    sums.map(|sum| sum / count)
}

impl Kind {
    /// Compares a thumbnail; the largest difference.
    fn difference(&self, picture: &Picture) -> f64 {
        let (width, height) = self.size;
        assert_eq!(
            (picture.width, picture.height),
            (width, height),
            "{}",
            self.file
        );
        let largest = |shown: [f64; 3], expected: [u8; 3]| {
            let differences = shown
                .iter()
                .zip(expected)
                .map(|(a, b)| (a - f64::from(b)).abs());
            differences.fold(0.0, f64::max)
        };
        let whole = largest(mean(picture, 0..width, 0..height), self.mean);
        let places = self.at.iter().zip(1..).map(|(colour, quarters)| {
            let (x, y) = (width * quarters / 4, height * quarters / 4);
            let [_, r, g, b] = colour.to_be_bytes();
            largest(mean(picture, x - 2..x + 3, y - 2..y + 3), [r, g, b])
        });
        places.fold(whole, f64::max)
    }
}

fn assert_shown(kinds: &[Kind]) {
    for kind in kinds {
        let thumbnail = thumbnail_of(&fixture(&format!("kinds/{}", kind.file)));
        let difference = kind.difference(&Picture::rgb(&thumbnail.jpeg));
        assert!(difference <= TOLERANCE, "{}: {difference:.1}", kind.file);
    }
}

#[test]
fn a_damaged_restart_interval_costs_itself_alone() {
    assert_shown(&[
        Kind {
            file: "rst_damaged_row2.jpg",
            size: (256, 192),
            mean: [127, 126, 129],
            at: [0xe6_1e28, 0xfd_fefe, 0xc0_bfe4],
        },
        Kind {
            file: "rst_damaged_row10.jpg",
            size: (256, 192),
            mean: [128, 121, 123],
            at: [0xe6_1e28, 0xfd_fefe, 0xc0_bfe4],
        },
        Kind {
            file: "rst_marker_lost.jpg",
            size: (256, 192),
            mean: [126, 125, 128],
            at: [0xe3_1f29, 0xfd_fefe, 0xc0_bfe4],
        },
        Kind {
            file: "rst_wrong_number.jpg",
            size: (256, 192),
            mean: [126, 122, 124],
            at: [0xe6_1e28, 0xfd_fefe, 0xc0_bfe4],
        },
    ]);
}

#[test]
fn jpegs_with_careless_markers_are_read() {
    assert_shown(&[
        Kind {
            file: "q_dup_ids_111.jpg",
            size: (96, 64),
            mean: [129, 126, 123],
            at: [0xe6_1e28, 0xff_feff, 0xc0_c2e1],
        },
        Kind {
            file: "q_com_len0.jpg",
            size: (96, 64),
            mean: [129, 126, 123],
            at: [0xe6_1e28, 0xff_feff, 0xc0_c2e1],
        },
        Kind {
            file: "q_unused_bad_dht.jpg",
            size: (96, 64),
            mean: [129, 126, 123],
            at: [0xe6_1e28, 0xff_feff, 0xc0_c2e1],
        },
        Kind {
            file: "j_bad_seglen_app.jpg",
            size: (96, 64),
            mean: [129, 126, 123],
            at: [0xe6_1e28, 0xff_feff, 0xc0_c2e1],
        },
        Kind {
            file: "q_cmyk_adobe_t5.jpg",
            size: (96, 64),
            mean: [134, 128, 138],
            at: [0x95_00c7, 0x00_8600, 0x00_9b00],
        },
    ]);
}

#[test]
fn a_progressive_jpeg_of_means_alone_is_smoothed() {
    assert_shown(&[Kind {
        file: "q_prog_first1.jpg",
        size: (96, 64),
        mean: [128, 125, 125],
        at: [0xab_344c, 0xda_daa5, 0xc6_c3d6],
    }]);
}

#[test]
fn pngs_show_the_colours_that_their_chunks_describe() {
    assert_shown(&[
        Kind {
            file: "p_gama1.png",
            size: (96, 64),
            mean: [174, 176, 174],
            at: [0xf4_606e, 0xff_ffff, 0xe1_e2f1],
        },
        Kind {
            file: "p_chrm_gama_adobe.png",
            size: (96, 64),
            mean: [117, 119, 110],
            at: [0xff_001c, 0xff_ffff, 0xb5_c3e6],
        },
        Kind {
            file: "p_cicp_p3.png",
            size: (96, 64),
            mean: [122, 121, 114],
            at: [0xfb_0014, 0xff_ffff, 0xc0_c2e4],
        },
        Kind {
            file: "p_cicp_pq.png",
            size: (96, 64),
            mean: [106, 104, 103],
            at: [0xff_0000, 0xff_ffff, 0x88_9aff],
        },
    ]);
}

#[test]
fn a_profile_whose_chunk_comes_twice_counts() {
    assert_shown(&[Kind {
        file: "icc_chunk_count1.jpg",
        size: (96, 64),
        mean: [125, 132, 126],
        at: [0xff_0032, 0xff_feff, 0xc1_cdeb],
    }]);
}

#[test]
fn gifs_are_drawn_as_others_draw_them() {
    assert_shown(&[
        Kind {
            file: "q_gif_oob_offset.gif",
            size: (72, 48),
            mean: [208, 165, 176],
            at: [0xff_ffff, 0xe6_1e28, 0x96_3d4b],
        },
        Kind {
            file: "g_index_oob.gif",
            size: (96, 64),
            mean: [74, 100, 68],
            at: [0x00_0000, 0xf1_efa8, 0xaa_e4ac],
        },
        Kind {
            file: "g_no_palette.gif",
            size: (96, 64),
            mean: [7, 7, 7],
            at: [0x09_0909, 0x00_0000, 0x01_0101],
        },
    ]);
}

#[test]
fn the_coarse_passes_of_an_interlaced_png_are_a_picture() {
    assert_shown(&[Kind {
        file: "q_adam7s_trunc15.png",
        size: (160, 120),
        mean: [126, 121, 124],
        at: [0xe6_1e28, 0xff_ffff, 0xbf_bec1],
    }]);
}

#[test]
fn bmps_of_rare_kinds_are_read() {
    assert_shown(&[
        Kind {
            file: "q_os2v2_64.bmp",
            size: (96, 64),
            mean: [125, 122, 119],
            at: [0xe6_1e28, 0xf1_efa8, 0xaa_e4ac],
        },
        Kind {
            file: "q_rle8_topdown.bmp",
            size: (96, 64),
            mean: [125, 122, 119],
            at: [0xe6_1e28, 0xf1_efa8, 0xaa_e4ac],
        },
        Kind {
            file: "q_rle8_trunc70.bmp",
            size: (96, 64),
            mean: [166, 178, 180],
            at: [0xff_ffff, 0xf1_efa8, 0xaa_e4ac],
        },
        Kind {
            file: "b_trunc60.bmp",
            size: (96, 64),
            mean: [181, 197, 196],
            at: [0xff_ffff, 0xff_ffff, 0xc1_c2e1],
        },
        Kind {
            file: "b_planes0.bmp",
            size: (96, 64),
            mean: [129, 126, 123],
            at: [0xe6_1e28, 0xff_ffff, 0xc1_c2e1],
        },
        Kind {
            file: "b_palette300.bmp",
            size: (96, 64),
            mean: [125, 122, 119],
            at: [0xe6_1e28, 0xf1_efa8, 0xaa_e4ac],
        },
        Kind {
            file: "b_v5_icc_prophoto.bmp",
            size: (96, 64),
            mean: [125, 132, 125],
            at: [0xff_0031, 0xff_ffff, 0xc1_cdeb],
        },
    ]);
}

#[test]
fn orientations_of_rare_kinds_turn_the_picture() {
    assert_shown(&[
        Kind {
            file: "j_orient6_slong.jpg",
            size: (64, 96),
            mean: [129, 126, 123],
            at: [0x1e_3cdd, 0xff_fefe, 0x14_a03c],
        },
        Kind {
            file: "p_rawprofile_exif6.png",
            size: (64, 96),
            mean: [129, 126, 123],
            at: [0x1e_3cdc, 0xff_ffff, 0x14_a03c],
        },
    ]);
}

#[test]
fn a_camera_whose_name_is_typed_as_bytes_is_named() {
    let thumbnail = thumbnail_of(&fixture("kinds/q_make_undef.jpg"));
    let exif = thumbnail.source.exif.unwrap();
    assert_eq!(exif.camera.as_deref(), Some("Google Cuttlefish"));
}

/// The right value is what libwebp gives of the same file with its hint set, on white. (Chromium's
/// canvas divides these colours by an alpha that was never in them.)
#[test]
fn the_alpha_hint_of_a_lossless_webp_is_a_hint() {
    assert_shown(&[Kind {
        file: "q_vp8l_alpha_hint0.webp",
        size: (96, 64),
        mean: [199, 201, 187],
        at: [0xf9_c7c9, 0xff_ffff, 0xd0_d1e8],
    }]);
}

#[test]
fn a_picture_of_108_megapixels_is_read() {
    assert_shown(&[Kind {
        file: "q_108mp.png",
        size: (256, 192),
        mean: [127, 127, 127],
        at: [0x7f_7f7f, 0x7f_7f7f, 0x7f_7f7f],
    }]);
}

#[test]
fn what_the_first_frame_of_an_animated_webp_leaves_free_is_transparent() {
    // A frame of 32 × 16 at (16, 8) of 64 × 48, on white.
    for (file, red) in [
        ("small_frame_lossy.webp", [200, 30, 40]),
        ("small_frame_lossless.webp", [200, 30, 40]),
        ("small_frame_alpha.webp", [227, 142, 147]),
    ] {
        let thumbnail = thumbnail_of(&fixture(&format!("kinds/{file}")));
        assert!(thumbnail.source.has_alpha, "{file}");
        assert_eq!(thumbnail.source.frames, 2);
        let picture = Picture::rgb(&thumbnail.jpeg);
        assert_eq!((picture.width, picture.height), (64, 48));
        for (x, y, expected) in [
            (4, 4, [255; 3]),
            (60, 16, [255; 3]),
            (32, 40, [255; 3]),
            (24, 12, red),
            (40, 20, red),
        ] {
            let colour = picture.at(x, y);
            let is_right = colour.iter().zip(expected).all(|(a, b)| a.abs_diff(b) <= 8);
            assert!(is_right, "{file}: {colour:?} at {x}, {y}");
        }
    }
}
