import Tensors

/// `text` on one line, with everything escaped that a person does not see (`escapingUnprintable`).
///
/// Whatever is printed goes through here in the end (Printing.swift); a caller needs it only to measure or to shorten a
/// text.
public func printable(_ text: String) -> String { text.escapingUnprintable(visibleEscape) }

/// The same of a text of several lines.
func printableLines(_ text: String) -> String { text.escapingUnprintable(keeping: ["\n"], visibleEscape) }

private func visibleEscape(_ scalar: Unicode.Scalar) -> String { "\\u{\(String(scalar.value, radix: 16))}" }
