//! The operator sets that can be written.

use crate::error::ExportError;

/// A version of ONNX's standard operator set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Opset(u8);

impl Opset {
    /// The oldest that can be written.
    pub const OLDEST: Self = Self(16);
    /// The newest that can be written.
    pub const NEWEST: Self = Self(26);

    /// The operator set of this version.
    ///
    /// # Errors
    ///
    /// [`ExportError::Opset`] outside [`Opset::OLDEST`] to [`Opset::NEWEST`].
    pub fn new(version: u8) -> Result<Self, ExportError> {
        let opset = Self(version);
        if (Self::OLDEST..=Self::NEWEST).contains(&opset) {
            Ok(opset)
        } else {
            Err(ExportError::Opset { version })
        }
    }

    /// The version's number.
    pub fn version(self) -> u8 {
        self.0
    }

    /// The IR version of the first ONNX release that had this operator set,
    /// so that the oldest runtimes that know the operators load the file.
    ///
    /// Source: the version table in ONNX's `Versioning.md`.
    pub fn ir_version(self) -> i64 {
        match self.0 {
            ..=18 => 8,
            19 | 20 => 9,
            21 | 22 => 10,
            23 => 11,
            24 => 12,
            25.. => 13,
        }
    }
}

impl Default for Opset {
    /// 18: what current runtimes and converters all read.
    fn default() -> Self {
        Self(18)
    }
}

impl TryFrom<u8> for Opset {
    type Error = ExportError;

    fn try_from(version: u8) -> Result<Self, ExportError> {
        Self::new(version)
    }
}

impl std::fmt::Display for Opset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn versions_outside_the_range_are_refused() {
        for version in [0, 15, 27] {
            let error = Opset::new(version).unwrap_err();
            assert_eq!(
                error.to_string(),
                format!("opset {version} cannot be written; choose one from 16 to 26")
            );
        }
    }

    #[test]
    fn the_ir_version_never_falls_as_the_opset_rises() {
        let versions: Vec<_> = (16..=26)
            .map(|version| Opset::new(version).unwrap().ir_version())
            .collect();
        assert_eq!(versions, [8, 8, 8, 9, 9, 10, 10, 11, 12, 13, 13]);
    }
}
