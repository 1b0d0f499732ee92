/// `text` with everything escaped that could move a terminal's cursor, change its state, or reorder what stands beside
/// it: control characters, line and paragraph separators, and bidirectional controls.
///
/// Patches, checkpoints and fact files are written by others; what they say is shown, not obeyed.
public func printable(_ text: String) -> String {
  var result = ""
  for scalar in text.unicodeScalars {
    switch scalar.value {
    case 0..<0x20, 0x7F..<0xA0, 0x200E...0x200F, 0x2028...0x202E, 0x2066...0x2069:
      result += "\\u{\(String(scalar.value, radix: 16))}"
    default: result.unicodeScalars.append(scalar)
    }
  }
  return result
}
