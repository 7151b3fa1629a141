//! From elements to values.

use super::Error;
use super::element::{Element, Elements, MATRIX, Reader};
use super::value::{Data, Numeric, Value, Variable};

/// Cells in cells beyond this are damage.
const DEEPEST: usize = 16;
/// Far beyond any matrix that a data set has.
const MOST_VALUES: usize = 1 << 28;

const INT32: u32 = 5;
const UINT32: u32 = 6;

const LOGICAL: u8 = 1 << 1;
const COMPLEX: u8 = 1 << 3;

/// The variable in a top element; none for elements that are no matrix.
pub(super) fn variable(reader: &Reader, element: &Element<'_>) -> Result<Option<Variable>, Error> {
    if element.kind != MATRIX {
        return Ok(None);
    }
    let (name, value) = matrix(reader, &element.data, 0)?;
    Ok(Some(Variable { name, value }))
}

/// The pieces of a matrix, in their order.
struct Pieces<'a, 'r> {
    reader: &'r Reader,
    elements: Elements<'a, 'r>,
}

impl<'a> Pieces<'a, '_> {
    fn next(&mut self) -> Result<Element<'a>, Error> {
        self.elements.next().unwrap_or_else(|| Err(Error::new("a matrix ends early")))
    }

    fn of_kind(&mut self, kinds: &[u32], what: &str) -> Result<Element<'a>, Error> {
        let element = self.next()?;
        if kinds.contains(&element.kind) {
            Ok(element)
        } else {
            Err(Error::new(format!(
                "the {what} of a matrix are of the type {}, expected {kinds:?}",
                element.kind
            )))
        }
    }

    fn text(&mut self, what: &str) -> Result<String, Error> {
        // Names are bytes, signed or not.
        let element = self.of_kind(&[1, 2, 16], what)?;
        Ok(String::from_utf8_lossy(&element.data).trim_end_matches('\0').to_owned())
    }

    fn value(&mut self, depth: usize) -> Result<Value, Error> {
        let element = self.of_kind(&[MATRIX], "parts")?;
        Ok(matrix(self.reader, &element.data, depth + 1)?.1)
    }
}

fn matrix(reader: &Reader, bytes: &[u8], depth: usize) -> Result<(String, Value), Error> {
    if depth > DEEPEST {
        return Err(Error::new(format!("its cells lie more than {DEEPEST} deep")));
    }
    let empty = || Numeric { dimensions: vec![0, 0], data: Data::F64(Vec::new()), is_logical: false };
    // An empty cell may be an element without contents.
    if bytes.is_empty() {
        return Ok((String::new(), Value::Numeric(empty())));
    }
    let mut pieces = Pieces { reader, elements: Elements::new(reader, bytes) };
    let flags = pieces.of_kind(&[UINT32, INT32], "flags")?;
    let flags =
        flags.data.first_chunk::<4>().ok_or_else(|| Error::new("the flags of a matrix are cut off"))?;
    let [class, flags, ..] = reader.u32(*flags).to_le_bytes();
    // Objects of newer kinds have no dimensions.
    if class > 15 || class == 0 {
        return Ok((String::new(), Value::Other { class }));
    }
    let (dimensions, count) = dimensions(reader, &pieces.of_kind(&[INT32, UINT32], "dimensions")?.data)?;
    let name = pieces.text("names")?;
    let value = match class {
        1 => {
            let values = (0..count).map(|_| pieces.value(depth)).collect::<Result<_, _>>()?;
            Value::Cell { dimensions, values }
        }
        2 => Value::Struct { fields: fields(&mut pieces, count, depth)?, dimensions },
        4 => Value::Text(text(&data(reader, &pieces.next()?)?, &dimensions, count)?),
        6..=15 => {
            let data = data(reader, &pieces.next()?)?;
            if data.len() != count {
                let reason = format!("the matrix `{name}` has {} values, expected {count}", data.len());
                return Err(Error::new(reason));
            }
            if flags & COMPLEX != 0 {
                return Err(Error::new(format!("the matrix `{name}` has complex numbers")));
            }
            Value::Numeric(Numeric { dimensions, data, is_logical: flags & LOGICAL != 0 })
        }
        _ => Value::Other { class },
    };
    Ok((name, value))
}

fn dimensions(reader: &Reader, bytes: &[u8]) -> Result<(Vec<usize>, usize), Error> {
    let sizes = bytes.as_chunks::<4>().0.iter().map(|size| reader.u32(*size) as usize);
    let dimensions: Vec<usize> = sizes.take(32).collect();
    let count = dimensions.iter().try_fold(1_usize, |count, size| count.checked_mul(*size));
    match count.filter(|count| *count <= MOST_VALUES && dimensions.len() >= 2) {
        Some(count) => Ok((dimensions, count)),
        None => Err(Error::new(format!("a matrix claims the sizes {dimensions:?}"))),
    }
}

fn fields(
    pieces: &mut Pieces<'_, '_>,
    count: usize,
    depth: usize,
) -> Result<Vec<(String, Vec<Value>)>, Error> {
    let length = pieces.of_kind(&[INT32, UINT32], "field lengths")?;
    let length = length.data.first_chunk::<4>().map(|length| pieces.reader.u32(*length) as usize);
    let names = pieces.of_kind(&[1, 2, 16], "field names")?;
    let length =
        length.filter(|length| *length > 0).ok_or_else(|| Error::new("fields have names without length"))?;
    let name = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes);
        text.split('\0').next().unwrap_or_default().to_owned()
    };
    let mut fields: Vec<(String, Vec<Value>)> =
        names.data.chunks_exact(length).map(|bytes| (name(bytes), Vec::new())).collect();
    for _ in 0..count {
        if fields.is_empty() {
            break;
        }
        for (_, values) in &mut fields {
            values.push(pieces.value(depth)?);
        }
    }
    Ok(fields)
}

/// The numbers of an element, by its own type.
fn data(reader: &Reader, element: &Element<'_>) -> Result<Data, Error> {
    macro_rules! numbers {
        ($type:ty) => {{
            let (chunks, _) = element.data.as_chunks::<{ size_of::<$type>() }>();
            chunks.iter().map(|chunk| <$type>::from_le_bytes(reader.number(*chunk))).collect()
        }};
    }
    Ok(match element.kind {
        1 => Data::I8(numbers!(i8)),
        2 | 16 => Data::U8(element.data.to_vec()),
        3 => Data::I16(numbers!(i16)),
        4 | 17 => Data::U16(numbers!(u16)),
        5 => Data::I32(numbers!(i32)),
        6 | 18 => Data::U32(numbers!(u32)),
        7 => Data::F32(numbers!(f32)),
        9 => Data::F64(numbers!(f64)),
        12 => Data::I64(numbers!(i64)),
        13 => Data::U64(numbers!(u64)),
        kind => return Err(Error::new(format!("a matrix has values of the unknown type {kind}"))),
    })
}

/// Characters are numbers, column after column: code units, or the bytes of a text.
fn text(data: &Data, dimensions: &[usize], count: usize) -> Result<Vec<String>, Error> {
    let rows = dimensions.first().copied().unwrap_or_default();
    if let (Data::U8(bytes), true) = (data, rows <= 1) {
        return Ok(vec![String::from_utf8_lossy(bytes).into_owned()]);
    }
    let units: Vec<u32> = match data {
        Data::U8(values) => values.iter().copied().map(u32::from).collect(),
        Data::U16(values) => values.iter().copied().map(u32::from).collect(),
        Data::U32(values) => values.clone(),
        _ => return Err(Error::new("a text has values that are no characters")),
    };
    if units.len() != count || rows == 0 {
        return if units.is_empty() {
            Ok(Vec::new())
        } else {
            Err(Error::new("a text has another length than it says"))
        };
    }
    let columns = count / rows;
    let character = |unit: u32| char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER);
    let line = |row: usize| (0..columns).map(|column| character(units[row + rows * column])).collect();
    Ok((0..rows).map(line).collect())
}
