//! Which file is the prediction of which image, and what its pixels mean.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use segbench_datasets::{DecodeError, Error as DatasetError, label_png, read_image};
use segbench_types::{ClassCatalog, IGNORE, LabelMap};

use crate::Error;
use crate::score_array::{self, ArrayLayout, Classified};

/// Somebody's predictions.
#[derive(Debug, Clone, Copy)]
pub struct PredictionFiles<'a> {
    /// The folder with a PNG or a `.npy` file per image, at any depth.
    pub dir: &'a Path,
    /// How PNGs are coded.
    pub encoding: Encoding,
    /// Which dimension of arrays counts the classes; `None`: the one that has as many entries.
    pub layout: Option<ArrayLayout>,
}

/// The prediction for an image.
#[derive(Debug)]
pub(crate) struct Prediction {
    pub(crate) labels: LabelMap,
    /// Probability of every pixel's class, where the file says it.
    pub(crate) confidences: Option<Vec<f32>>,
}

/// How predictions are coded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Encoding {
    /// Train ids; 255 means "no class".
    #[default]
    TrainId,
    /// The data set's own ids, mapped by its catalog.
    SourceId,
    /// The catalog's colors.
    Color,
}

/// One file per id: the one whose stem is the id, or else begins with it and an underscore, and with no longer id.
pub(crate) fn pair(ids: &[&str], dir: &Path) -> Result<Vec<PathBuf>, Error> {
    let files = list_predictions(dir)?;
    let known: BTreeSet<&str> = ids.iter().copied().collect();
    let mut longer = BTreeMap::<&str, Vec<&PathBuf>>::new();
    for (stem, file) in &files {
        let mut beginnings = stem.rmatch_indices('_').map(|(end, _)| &stem[..end]);
        if !known.contains(stem.as_str())
            && let Some(id) = beginnings.find(|beginning| known.contains(beginning))
        {
            longer.entry(id).or_default().push(file);
        }
    }
    let mut pairs = Vec::new();
    let mut missing = Vec::new();
    for &id in ids {
        match (files.get(id), longer.get(id).map(Vec::as_slice)) {
            (Some(file), _) => pairs.push(file.clone()),
            (None, Some([file])) => pairs.push((*file).clone()),
            (None, Some([first, second, ..])) => {
                return Err(Error::TwoPredictions {
                    id: id.into(),
                    first: (*first).clone(),
                    second: (*second).clone(),
                });
            }
            (None, _) => missing.push(id),
        }
    }
    match missing.first() {
        None => Ok(pairs),
        Some(&first) => Err(Error::NoPrediction {
            dir: dir.into(),
            count: missing.len(),
            total: ids.len(),
            first: first.into(),
        }),
    }
}

/// All predictions below a folder by stem.
pub(crate) fn list_predictions(dir: &Path) -> Result<BTreeMap<String, PathBuf>, Error> {
    list(dir, &["png", "npy"])
}

/// All PNGs below a folder by stem.
pub(crate) fn list_pngs(dir: &Path) -> Result<BTreeMap<String, PathBuf>, Error> {
    list(dir, &["png"])
}

fn list(dir: &Path, extensions: &[&str]) -> Result<BTreeMap<String, PathBuf>, Error> {
    let mut files = BTreeMap::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for path in segbench_storage::list_dir(&folder)? {
            if path.is_dir() {
                folders.push(path);
            } else if has_extension(&path, extensions) {
                let id = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
                if let Some(first) = files.insert(id.clone(), path.clone()) {
                    return Err(Error::TwoPredictions { id, first, second: path });
                }
            }
        }
    }
    Ok(files)
}

fn has_extension(path: &Path, extensions: &[&str]) -> bool {
    let extension = path.extension().unwrap_or_default();
    extensions.iter().any(|one| extension.eq_ignore_ascii_case(one))
}

impl PredictionFiles<'_> {
    /// Reads one of the files; labels are train ids.
    pub(crate) fn read(&self, path: &Path, catalog: &ClassCatalog) -> Result<Prediction, Error> {
        if has_extension(path, &["npy"]) {
            let Classified { labels, confidences } = score_array::read(path, catalog.len(), self.layout)?;
            return Ok(Prediction { labels, confidences: Some(confidences) });
        }
        let labels = match self.encoding {
            Encoding::Color => read_colors(path, catalog)?,
            encoding => read_numbers(path, encoding, catalog)?,
        };
        Ok(Prediction { labels, confidences: None })
    }
}

fn read_numbers(path: &Path, encoding: Encoding, catalog: &ClassCatalog) -> Result<LabelMap, Error> {
    let bytes = segbench_storage::read(path)?;
    let wrap = |source| DatasetError::Decode { file: path.display().to_string(), source };
    let raw = label_png::decode(&bytes).map_err(wrap)?;
    let label_png::Samples::Bytes(samples) = raw.samples else {
        return Err(Error::SixteenBits { path: path.into() });
    };
    let mut map = LabelMap::new(raw.width, raw.height, samples)
        .map_err(|err| wrap(DecodeError::Damaged(err.to_string())))?;
    if encoding == Encoding::SourceId {
        // Values that mean nothing are given an id no class can have, so that `check` names them.
        let mut table = [None; 256];
        for (train_id, class) in (0..).zip(&catalog.classes) {
            if let Some(place) = table.get_mut(usize::from(class.source_id)) {
                *place = Some(train_id);
            }
        }
        for &source in &catalog.ignored_source_ids {
            if let Some(place) = table.get_mut(usize::from(source)) {
                *place = Some(IGNORE);
            }
        }
        table[usize::from(IGNORE)].get_or_insert(IGNORE);
        let expected = || format!("an id of `{}`", catalog.name);
        let width = map.width() as usize;
        for (index, label) in map.as_mut_slice().iter_mut().enumerate() {
            *label = table[usize::from(*label)]
                .ok_or_else(|| bad_value(path, label.to_string(), index, width, expected()))?;
        }
        return Ok(map);
    }
    check(&map, path, catalog)?;
    Ok(map)
}

fn read_colors(path: &Path, catalog: &ClassCatalog) -> Result<LabelMap, Error> {
    let picture = read_image(path)?;
    let labels: BTreeMap<[u8; 3], u8> =
        (0..).zip(&catalog.classes).map(|(id, class)| (class.color, id)).collect();
    let width = picture.width() as usize;
    let label = |(index, pixel): (usize, &image::Rgb<u8>)| match labels.get(&pixel.0) {
        Some(&label) => Ok(label),
        None if pixel.0 == [0, 0, 0] => Ok(IGNORE),
        None => Err(bad_value(
            path,
            format!("{:?}", pixel.0),
            index,
            width,
            format!("a color of `{}`", catalog.name),
        )),
    };
    let data: Vec<u8> = picture.pixels().enumerate().map(label).collect::<Result<_, _>>()?;
    LabelMap::new(picture.width(), picture.height(), data)
        .map_err(|err| Error::BadResults { reason: err.to_string() })
}

pub(crate) fn check(map: &LabelMap, path: &Path, catalog: &ClassCatalog) -> Result<(), Error> {
    let classes = catalog.len();
    match map.as_slice().iter().position(|&label| label != IGNORE && usize::from(label) >= classes) {
        None => Ok(()),
        Some(index) => {
            let expected = format!("0 to {} or {IGNORE}", classes.saturating_sub(1));
            Err(bad_value(path, map.as_slice()[index].to_string(), index, map.width() as usize, expected))
        }
    }
}

fn bad_value(path: &Path, value: String, index: usize, width: usize, expected: String) -> Error {
    Error::BadValue { path: path.into(), value, x: index % width, y: index / width, expected }
}
