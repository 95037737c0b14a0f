//! The wire format: numbered fields, each a number or bytes.

use super::Fault;

/// One field of a message: its number and what it holds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field<'a>(pub(super) u32, pub(super) Raw<'a>);

/// What a field holds.
#[derive(Clone, Copy, Debug)]
pub(super) enum Raw<'a> {
    /// A whole number or a bool.
    Number(u64),
    /// A text, bytes or a message.
    Bytes(&'a [u8]),
    /// A number with a fraction.
    Double(f64),
}

/// Takes a message apart. Ends after the first fault.
pub(super) fn fields(mut rest: &[u8]) -> impl Iterator<Item = Result<Field<'_>, Fault>> {
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let field = next(&mut rest);
        if field.is_err() {
            rest = &[];
        }
        Some(field)
    })
}

fn next<'a>(rest: &mut &'a [u8]) -> Result<Field<'a>, Fault> {
    let tag = number(rest)?;
    let field = u32::try_from(tag >> 3).map_err(|_| Fault::Form)?;
    let raw = match tag & 7 {
        0 => Raw::Number(number(rest)?),
        1 => {
            let bytes = take(rest, 8)?.try_into().map_err(|_| Fault::Form)?;
            Raw::Double(f64::from_le_bytes(bytes))
        }
        2 => {
            let length = usize::try_from(number(rest)?).map_err(|_| Fault::Form)?;
            Raw::Bytes(take(rest, length)?)
        }
        _ => return Err(Fault::Form),
    };
    Ok(Field(field, raw))
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Result<&'a [u8], Fault> {
    let (taken, left) = rest.split_at_checked(length).ok_or(Fault::Form)?;
    *rest = left;
    Ok(taken)
}

/// Reads seven bits a byte, the lowest first, until one has no eighth bit.
fn number(rest: &mut &[u8]) -> Result<u64, Fault> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let byte = take(rest, 1)?[0];
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(number);
        }
    }
    Err(Fault::Form)
}

/// Reads a text.
pub(super) fn text(bytes: &[u8]) -> Result<String, Fault> {
    String::from_utf8(bytes.to_vec()).map_err(|_| Fault::Form)
}
