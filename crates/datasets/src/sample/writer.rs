//! Writes samples in the layout of the Cityscapes archives, as folders or as the two archives.

use std::io::{self, Seek, Write};
use std::path::Path;

use png::{BitDepth, ColorType};
use rayon::prelude::*;
use segbench_storage::{create_dir, write, write_with};
use segbench_types::{ErrorKind, Explain, Progress, Rng};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use super::annotate::annotate;
use super::develop::develop;
use super::label::Label;
use super::layout::scene;
use super::painter::Painter;

/// Largest picture, in pixels along either side.
const LARGEST: u32 = 4096;
/// Smallest picture, in pixels along either side.
const SMALLEST: u32 = 32;

const README: &str = "Street scenes drawn by a program, in the layout of the Cityscapes data set.\n\
No photograph and no label of Cityscapes is in here.\n";
const LICENSE: &str = "These pictures and labels are dedicated to the public domain under CC0 1.0.\n\
https://creativecommons.org/publicdomain/zero/1.0/\n";

/// How many pictures to draw, of which size, from which seed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SampleOptions {
    /// Every seed gives other streets. Default 0.
    pub seed: u64,
    /// Width in pixels, 32 to 4096. Default 512.
    pub width: u32,
    /// Height in pixels, 32 to 4096. Default 256.
    pub height: u32,
    /// Training pictures. Default 64. More of them leave the first ones as they are.
    pub train: u32,
    /// Validation pictures. Default 16.
    pub val: u32,
    /// Test pictures, whose labels are dummies as in Cityscapes. Default 4.
    pub test: u32,
}

impl Default for SampleOptions {
    fn default() -> Self {
        Self { seed: 0, width: 512, height: 256, train: 64, val: 16, test: 4 }
    }
}

/// A sample that could not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The pictures asked for are too small or too large.
    #[error(
        "a sample of {width}x{height} pixels is out of range, expected {SMALLEST} to {LARGEST} along each side"
    )]
    Size {
        /// Width asked for.
        width: u32,
        /// Height asked for.
        height: u32,
    },
    /// A file could not be written.
    #[error(transparent)]
    Storage(#[from] segbench_storage::Error),
}

impl Explain for Error {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Size { .. } => ErrorKind::Usage,
            Self::Storage(err) => err.kind(),
        }
    }

    fn help(&self) -> Option<String> {
        match self {
            Self::Size { .. } => {
                Some("leave the size out to get 512x256, or ask for up to 2048x1024 as Cityscapes has".into())
            }
            Self::Storage(err) => err.help(),
        }
    }
}

/// Writes `leftImg8bit/` and `gtFine/` below `dir`. Files of an earlier, larger sample stay where they are.
///
/// # Errors
/// [`Error::Size`] before anything is drawn; [`Error::Storage`] if a file cannot be written.
pub fn write_tree(dir: &Path, options: &SampleOptions, progress: &dyn Progress) -> Result<(), Error> {
    let jobs = jobs(options)?;
    create_dir(dir)?;
    let task = progress.start("drawing the sample", jobs.len() as u64);
    jobs.par_iter().try_for_each(|job| {
        for file in job.files(options).map_err(|err| segbench_storage::Error::writing(dir, err))? {
            write(&dir.join(file.name), &file.bytes)?;
        }
        task.advance(1);
        Ok(())
    })
}

/// Writes `leftImg8bit_trainvaltest.zip` and `gtFine_trainvaltest.zip` into `dir`, the same bytes every time.
///
/// # Errors
/// As [`write_tree`].
pub fn write_zips(dir: &Path, options: &SampleOptions, progress: &dyn Progress) -> Result<(), Error> {
    let jobs = jobs(options)?;
    let task = progress.start("drawing the sample", jobs.len() as u64);
    let archive = |name: &str| dir.join(format!("{name}_trainvaltest.zip"));
    let mut inner = Ok(());
    let outer = write_with(&archive("leftImg8bit"), |images| {
        let mut images = ZipWriter::new(images);
        add(&mut images, "README", README.as_bytes())?;
        inner = write_with(&archive("gtFine"), |labels| {
            let mut labels = ZipWriter::new(labels);
            add(&mut labels, "README", README.as_bytes())?;
            // In pieces, so that memory holds a few pictures and not all of them.
            for piece in jobs.chunks(16) {
                let drawn: io::Result<Vec<Vec<File>>> =
                    piece.par_iter().map(|job| job.files(options)).collect();
                for file in drawn?.iter().flatten() {
                    match file.kind {
                        FileKind::Image => add(&mut images, &file.name, &file.bytes)?,
                        FileKind::Label => add(&mut labels, &file.name, &file.bytes)?,
                    }
                }
                task.advance(piece.len() as u64);
            }
            add(&mut labels, "license.txt", LICENSE.as_bytes())?;
            labels.finish()?;
            Ok(())
        });
        if inner.is_err() {
            return Err(io::Error::other("the archive beside it failed"));
        }
        add(&mut images, "license.txt", LICENSE.as_bytes())?;
        images.finish()?;
        Ok(())
    });
    // The inner error is the cause where there are two.
    inner?;
    Ok(outer?)
}

/// Adds a member with a fixed date. PNG files are compressed already.
fn add<W: Write + Seek>(archive: &mut ZipWriter<W>, name: &str, bytes: &[u8]) -> io::Result<()> {
    let method = if name.ends_with(".png") { CompressionMethod::Stored } else { CompressionMethod::Deflated };
    let options = SimpleFileOptions::default()
        .compression_method(method)
        .last_modified_time(DateTime::default())
        .unix_permissions(0o644);
    archive.start_file(name, options)?;
    archive.write_all(bytes)
}

/// A file of the sample, with its path.
struct File {
    name: String,
    bytes: Vec<u8>,
    kind: FileKind,
}

/// Which archive a file belongs to.
enum FileKind {
    Image,
    Label,
}

/// One picture to draw.
pub(super) struct Job {
    split: Split,
    index: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Split {
    Test,
    Train,
    Val,
}

impl Split {
    fn name(self) -> &'static str {
        match self {
            Self::Test => "test",
            Self::Train => "train",
            Self::Val => "val",
        }
    }

    /// Made-up cities, none of them in more than one split.
    fn city(self) -> &'static str {
        match self {
            Self::Test => "hiddenheim",
            Self::Train => "sampleville",
            Self::Val => "polygonia",
        }
    }
}

/// The pictures to draw, in the order of their names.
///
/// # Errors
/// [`Error::Size`].
pub(super) fn jobs(options: &SampleOptions) -> Result<Vec<Job>, Error> {
    let sides = [options.width, options.height];
    if sides.iter().any(|side| !(SMALLEST..=LARGEST).contains(side)) {
        return Err(Error::Size { width: options.width, height: options.height });
    }
    let splits = [(Split::Test, options.test), (Split::Train, options.train), (Split::Val, options.val)];
    Ok(splits
        .into_iter()
        .flat_map(|(split, count)| (0..count).map(move |index| Job { split, index }))
        .collect())
}

impl Job {
    /// Draws the scene; the stream that drew it goes on to develop the picture.
    pub(super) fn scene(&self, options: &SampleOptions) -> (Painter, Rng) {
        let mut rng = Rng::new(options.seed, &[self.split as u64, u64::from(self.index)]);
        let mut painter = scene(&mut rng, u64::from(self.index), options.width, options.height);
        if self.split == Split::Test {
            let dummies = [Label::EgoVehicle, Label::OutOfRoi, Label::RectificationBorder];
            painter.objects.retain(|object| dummies.contains(&object.label));
        }
        (painter, rng)
    }

    /// The five files of a picture, in the order of their names.
    fn files(&self, options: &SampleOptions) -> io::Result<Vec<File>> {
        let (width, height) = (options.width, options.height);
        let (painter, mut rng) = self.scene(options);
        let image = develop(&painter, &mut rng);
        let drawn = annotate(&painter.objects, width, height)?;
        let deep: Vec<u8> = drawn.instances.iter().flat_map(|id| id.to_be_bytes()).collect();
        let png =
            |color, depth, bytes: &[u8]| encode(width, height, color, depth, bytes).map_err(io::Error::other);
        let file = |kind, folder: &str, ending: &str, bytes| {
            let (split, city) = (self.split.name(), self.split.city());
            let name = format!("{folder}/{split}/{city}/{city}_{:06}_000019_{folder}{ending}", self.index);
            File { name, bytes, kind }
        };
        let label = |ending: &str, bytes| file(FileKind::Label, "gtFine", ending, bytes);
        let image = png(ColorType::Rgb, BitDepth::Eight, &image)?;
        Ok(vec![
            label("_color.png", png(ColorType::Rgba, BitDepth::Eight, &drawn.colors)?),
            label("_instanceIds.png", png(ColorType::Grayscale, BitDepth::Sixteen, &deep)?),
            label("_labelIds.png", png(ColorType::Grayscale, BitDepth::Eight, &drawn.labels)?),
            label("_polygons.json", drawn.polygons),
            file(FileKind::Image, "leftImg8bit", ".png", image),
        ])
    }
}

fn encode(
    width: u32,
    height: u32,
    color: ColorType,
    depth: BitDepth,
    pixels: &[u8],
) -> Result<Vec<u8>, png::EncodingError> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(color);
    encoder.set_depth(depth);
    encoder.set_compression(png::Compression::Fast);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(pixels)?;
    writer.finish()?;
    Ok(bytes)
}
