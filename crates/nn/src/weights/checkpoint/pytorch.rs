//! What `torch.save` writes: a zip archive of a pickle and the values, or, before PyTorch 1.6, pickles and values in a row.
//!
//! candle reads the pickle; its file reader is not used because it prints to the terminal, leaves out tensors it does not
//! understand, and knows neither old files nor tensors in an unusual memory order.

use std::collections::BTreeMap;
use std::io::{BufRead, Cursor, Read as _};

use candle_core::pickle::{Object, Stack};
use candle_core::{DType, Device, Tensor};
use zip::ZipArchive;

use super::Problem;

/// The pickles of a magic number and of the protocol version 1001, with which every old file starts.
pub(super) const LEGACY_MAGIC: &[u8] =
    b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03.";

/// Entries of a training checkpoint that hold the weights.
const WEIGHT_KEYS: [&str; 4] = ["state_dict", "model_state_dict", "model", "module"];

type Tensors = BTreeMap<String, Tensor>;

pub(super) fn read_zip(bytes: &[u8]) -> Result<Tensors, Problem> {
    let broken = |err: zip::result::ZipError| Problem::broken(format!("is cut short or damaged: {err}"));
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(broken)?;
    let mut names = archive.file_names().filter_map(Result::ok);
    let Some(pickle) = names.find(|name| name.ends_with("/data.pkl")).map(|name| name.into_owned()) else {
        return Err(Problem::new(
            "is a zip archive without PyTorch weights",
            "unpack it first if the weights are inside, and name the file itself",
        ));
    };
    drop(names);
    let folder = pickle.trim_end_matches(".pkl").to_owned();
    let mut member = |name: &str| -> Result<Vec<u8>, Problem> {
        let mut contents = Vec::new();
        let mut file = archive.by_name(name).map_err(broken)?;
        file.read_to_end(&mut contents)
            .map_err(|err| Problem::broken(format!("is damaged at `{name}`: {err}")))?;
        Ok(contents)
    };
    let object = unpickle(&mut member(&pickle)?.as_slice())?;
    tensors(&object, |key| member(&format!("{folder}/{key}")))
}

pub(super) fn read_legacy(bytes: &[u8]) -> Result<Tensors, Problem> {
    let mut rest = bytes.get(LEGACY_MAGIC.len()..).unwrap_or_default();
    // Byte order and the sizes of C types: every machine of today has the same.
    unpickle(&mut rest)?;
    let object = unpickle(&mut rest)?;
    let Object::List(keys) = unpickle(&mut rest)? else {
        return Err(Problem::broken("has no list of its values"));
    };
    let mut sizes = BTreeMap::new();
    element_sizes(&object, &mut sizes);
    let mut storages = BTreeMap::new();
    for key in keys {
        let Object::Unicode(key) = key else {
            return Err(Problem::broken("has a list of values without names"));
        };
        let cut = || Problem::broken(format!("is cut short at value `{key}`"));
        let size =
            *sizes.get(&key).ok_or_else(|| Problem::broken(format!("has values `{key}` of unknown type")))?;
        let (count, after) = rest.split_first_chunk().ok_or_else(cut)?;
        let length =
            usize::try_from(u64::from_le_bytes(*count)).ok().and_then(|count| count.checked_mul(size));
        let (values, after) = length.and_then(|length| after.split_at_checked(length)).ok_or_else(cut)?;
        storages.insert(key, values);
        rest = after;
    }
    tensors(&object, |key| match storages.get(key) {
        Some(values) => Ok(values.to_vec()),
        None => Err(Problem::broken(format!("lacks the values `{key}`"))),
    })
}

fn unpickle(reader: &mut impl BufRead) -> Result<Object, Problem> {
    let mut stack = Stack::empty();
    stack.read_loop(reader).and_then(|()| stack.finalize()).map_err(|err| {
        Problem::new(
            format!("has a pickle that cannot be read: {err}"),
            "if it loads in Python, save only its weights: `torch.save(model.state_dict(), \"weights.pth\")`; else fetch it again",
        )
    })
}

/// The tensors of the weights in `object`; `values` finds the bytes of a storage by its key.
fn tensors(
    object: &Object,
    mut values: impl FnMut(&str) -> Result<Vec<u8>, Problem>,
) -> Result<Tensors, Problem> {
    let entries = weights(object)?;
    let mut all = Tensors::new();
    for (name, value) in entries {
        if let (Object::Unicode(name), Some(arguments)) = (name, rebuild_arguments(value)) {
            let stored = Stored::new(arguments)
                .map_err(|problem| Problem::new(format!("has a tensor `{name}` {problem}"), CONVERT))?;
            let bytes = values(stored.key)?;
            let tensor =
                stored.tensor(&bytes).map_err(|problem| Problem::broken(format!("`{name}` {problem}")))?;
            all.insert(name.clone(), tensor);
        }
    }
    if all.keys().all(|name| name.starts_with("module.")) {
        all = all.into_iter().map(|(name, tensor)| (name["module.".len()..].to_owned(), tensor)).collect();
    }
    Ok(all)
}

const CONVERT: &str = "convert it in Python: `safetensors.torch.save_file({k: v.float().contiguous() for k, v in weights.items()}, \"weights.safetensors\")`";

/// The dictionary of tensors: the object itself or the entry of a training checkpoint.
fn weights(object: &Object) -> Result<&Vec<(Object, Object)>, Problem> {
    let Object::Dict(entries) = object else {
        return Err(Problem::new(
            "holds a Python object instead of a dictionary of tensors",
            "load it in Python and save its weights: `torch.save(model.state_dict(), \"weights.pth\")`",
        ));
    };
    let named = |key: &str| {
        entries.iter().find(|(name, value)| {
            matches!(name, Object::Unicode(name) if name == key) && matches!(value, Object::Dict(_))
        })
    };
    match WEIGHT_KEYS.iter().find_map(|key| named(key)) {
        Some((_, inner)) => weights(inner),
        None => Ok(entries),
    }
}

/// The arguments of the call that makes a tensor, if `value` is one.
fn rebuild_arguments(value: &Object) -> Option<&[Object]> {
    let Object::Reduce { callable, args } = value else { return None };
    let (Object::Class { module_name, class_name }, Object::Tuple(args)) = (&**callable, &**args) else {
        return None;
    };
    match (module_name.as_str(), class_name.as_str()) {
        ("torch._utils", "_rebuild_tensor_v2") => Some(args),
        ("torch._utils", "_rebuild_parameter") => rebuild_arguments(args.first()?),
        ("torch._tensor", "_rebuild_from_type_v2") => match args.get(2)? {
            Object::Tuple(args) => Some(args),
            _ => None,
        },
        _ => None,
    }
}

/// Where the values of a tensor are.
struct Stored<'a> {
    key: &'a str,
    dtype: DType,
    offset: usize,
    shape: Vec<usize>,
    stride: Vec<usize>,
}

impl<'a> Stored<'a> {
    fn new(arguments: &'a [Object]) -> Result<Self, String> {
        let strange = || "that is described in an unknown way".to_owned();
        let [Object::PersistentLoad(storage), offset, Object::Tuple(shape), Object::Tuple(stride), ..] =
            arguments
        else {
            return Err(strange());
        };
        let (key, class) = storage_key(storage).ok_or_else(strange)?;
        let dtype =
            storage_dtype(class).ok_or_else(|| format!("of the type `{class}`, which is not read"))?;
        let numbers = |list: &[Object]| list.iter().map(number).collect::<Option<Vec<usize>>>();
        let (offset, shape, stride) = (number(offset), numbers(shape), numbers(stride));
        let (Some(offset), Some(shape), Some(stride)) = (offset, shape, stride) else {
            return Err(strange());
        };
        if shape.len() == stride.len() {
            Ok(Self { key, dtype, offset, shape, stride })
        } else {
            Err(strange())
        }
    }

    fn tensor(&self, storage: &[u8]) -> Result<Tensor, String> {
        let size = self.dtype.size_in_bytes();
        let count = self.shape.iter().try_fold(1_usize, |all, &size| all.checked_mul(size));
        let last = self.shape.iter().zip(&self.stride).try_fold(self.offset, |at, (size, stride)| {
            size.saturating_sub(1).checked_mul(*stride).and_then(|span| at.checked_add(span))
        });
        let end = last.and_then(|last| last.checked_add(1)).and_then(|end| end.checked_mul(size));
        let (Some(count), Some(end)) = (count, end) else { return Err("has an impossible size".into()) };
        if count > 0 && end > storage.len() {
            return Err(format!("needs {end} bytes of `{}`, which has {}", self.key, storage.len()));
        }
        let mut bytes = Vec::new();
        let mut index = vec![0; self.shape.len()];
        if self.is_contiguous() {
            bytes.extend_from_slice(
                storage.get(self.offset * size..(self.offset + count) * size).unwrap_or_default(),
            );
        } else {
            for _ in 0..count {
                let at =
                    self.offset + index.iter().zip(&self.stride).map(|(i, stride)| i * stride).sum::<usize>();
                bytes.extend_from_slice(&storage[at * size..(at + 1) * size]);
                for (i, &size) in index.iter_mut().zip(&self.shape).rev() {
                    *i += 1;
                    if *i < size {
                        break;
                    }
                    *i = 0;
                }
            }
        }
        Tensor::from_raw_buffer(&bytes, self.dtype, &self.shape, &Device::Cpu).map_err(|err| err.to_string())
    }

    fn is_contiguous(&self) -> bool {
        let mut expected = 1;
        self.shape.iter().zip(&self.stride).rev().all(|(&size, &stride)| {
            let fits = size == 1 || stride == expected;
            expected *= size;
            fits
        })
    }
}

/// The key and the class of `("storage", class, key, location, count)`.
fn storage_key(storage: &Object) -> Option<(&str, &str)> {
    let Object::Tuple(parts) = storage else { return None };
    match parts.as_slice() {
        [_, Object::Class { class_name, .. }, Object::Unicode(key), ..] => Some((key, class_name)),
        _ => None,
    }
}

fn storage_dtype(class: &str) -> Option<DType> {
    Some(match class {
        "FloatStorage" => DType::F32,
        "DoubleStorage" => DType::F64,
        "HalfStorage" => DType::F16,
        "BFloat16Storage" => DType::BF16,
        "ByteStorage" | "BoolStorage" => DType::U8,
        "ShortStorage" => DType::I16,
        "IntStorage" => DType::I32,
        "LongStorage" => DType::I64,
        _ => return None,
    })
}

fn number(object: &Object) -> Option<usize> {
    match *object {
        Object::Int(number) => usize::try_from(number).ok(),
        Object::Long(number) => usize::try_from(number).ok(),
        _ => None,
    }
}

/// Bytes per element of every storage that is mentioned anywhere, optimizer state included.
fn element_sizes(object: &Object, sizes: &mut BTreeMap<String, usize>) {
    match object {
        Object::PersistentLoad(storage) => {
            if let Some((key, class)) = storage_key(storage) {
                let size = match class {
                    "CharStorage" => Some(1),
                    "ComplexFloatStorage" => Some(8),
                    other => storage_dtype(other).map(|dtype| dtype.size_in_bytes()),
                };
                sizes.extend(size.map(|size| (key.to_owned(), size)));
            }
        }
        Object::Tuple(parts) | Object::List(parts) => {
            parts.iter().for_each(|part| element_sizes(part, sizes))
        }
        Object::Dict(entries) => entries.iter().for_each(|(key, value)| {
            element_sizes(key, sizes);
            element_sizes(value, sizes);
        }),
        Object::Reduce { callable, args } | Object::Build { callable, args } => {
            element_sizes(callable, sizes);
            element_sizes(args, sizes);
        }
        _ => {}
    }
}
