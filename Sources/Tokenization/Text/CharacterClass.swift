/// The four classes that the split patterns tell apart. Every character is in exactly one.
///
/// Letters and numbers are the general categories L and N, white space the property White_Space, in the Unicode version
/// of Swift's standard library. A character assigned in a Unicode version that only one of Swift and the Rust crate
/// `tokenizers` knows can be split differently there.
enum CharacterClass: UInt8 {
  case other, letter, number, whiteSpace

  init(_ scalar: Unicode.Scalar) {
    if scalar.properties.isWhitespace {
      self = .whiteSpace
      return
    }
    switch scalar.properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: self = .letter
    case .decimalNumber, .letterNumber, .otherNumber: self = .number
    default: self = .other
    }
  }

  /// The classes of U+0000 to U+FFFF: looking a property up takes ten times as long as reading this table.
  static let basicPlane: [CharacterClass] = (0..<0x10000).map { value in
    Unicode.Scalar(UInt32(value)).map { CharacterClass($0) } ?? .other
  }
}

extension UInt8 {
  /// How many bytes the character has whose UTF-8 begins with this one.
  var characterLength: Int {
    switch self {
    case ..<0x80: 1
    case ..<0xE0: 2
    case ..<0xF0: 3
    default: 4
    }
  }
}

/// Reads UTF-8 one character at a time, by class.
struct ClassReader {
  /// Well-formed UTF-8.
  let bytes: UnsafeBufferPointer<UInt8>
  private let basicPlane = CharacterClass.basicPlane

  init(_ bytes: UnsafeBufferPointer<UInt8>) {
    self.bytes = bytes
  }

  var end: Int { bytes.count }

  /// The class of the character at `position`, and where the next one begins.
  ///
  /// - Precondition: a character begins at `position`.
  @inline(__always)
  func read(at position: Int) -> (class: CharacterClass, next: Int) {
    let byte = bytes[position]
    return byte < 0x80 ? (basicPlane[Int(byte)], position + 1) : readMultibyte(at: position)
  }

  private func readMultibyte(at position: Int) -> (class: CharacterClass, next: Int) {
    let lead = Int(bytes[position])
    func continuation(_ offset: Int) -> Int { Int(bytes[position + offset] & 0x3F) }
    if lead < 0xE0 { return (basicPlane[(lead & 0x1F) << 6 | continuation(1)], position + 2) }
    if lead < 0xF0 {
      return (basicPlane[(lead & 0x0F) << 12 | continuation(1) << 6 | continuation(2)], position + 3)
    }
    let value = (lead & 0x07) << 18 | continuation(1) << 12 | continuation(2) << 6 | continuation(3)
    return (Unicode.Scalar(UInt32(value)).map { CharacterClass($0) } ?? .other, position + 4)
  }

  /// The class of the character at `position`; nil at the end.
  @inline(__always)
  func classIfAny(at position: Int) -> CharacterClass? {
    position < end ? read(at: position).class : nil
  }

  /// Where the run of characters of this class that goes through `position` ends.
  @inline(__always)
  func endOfRun(of wanted: CharacterClass, from position: Int) -> Int {
    var position = position
    while position < end {
      let (found, next) = read(at: position)
      guard found == wanted else { break }
      position = next
    }
    return position
  }

  /// Where the character before `position` begins.
  func start(before position: Int) -> Int {
    var position = position - 1
    while bytes[position] & 0xC0 == 0x80 { position -= 1 }
    return position
  }
}
