/// A SHA-256 value.
public struct Digest: Hashable, Comparable, Sendable, CustomStringConvertible {
  /// 32 bytes.
  public let bytes: [UInt8]

  /// - Precondition: 32 bytes.
  public init(bytes: [UInt8]) {
    precondition(bytes.count == 32)
    self.bytes = bytes
  }

  /// Reads 64 hexadecimal digits (either case); nil for anything else.
  public init?(hexadecimal text: String) {
    let digits = Array(text.utf8)
    guard digits.count == 64 else { return nil }
    var bytes: [UInt8] = []
    for pair in stride(from: 0, to: 64, by: 2) {
      guard let high = Self.value(of: digits[pair]), let low = Self.value(of: digits[pair + 1]) else { return nil }
      bytes.append(high << 4 | low)
    }
    self.bytes = bytes
  }

  private static func value(of digit: UInt8) -> UInt8? {
    switch digit {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): digit - UInt8(ascii: "A") + 10
    default: nil
    }
  }

  /// The digest of `bytes`.
  public init(of bytes: UnsafeRawBufferPointer) {
    var hasher = DigestHasher()
    hasher.update(bytes)
    self = hasher.finalize()
  }

  public init(of bytes: [UInt8]) {
    self = bytes.withUnsafeBytes { Digest(of: $0) }
  }

  /// The digest of a file's bytes.
  ///
  /// - Throws: an `ErrataError` that names the path, if the file cannot be read.
  public init(contentsOf path: String) throws {
    let file = try MappedFile(path: path)
    self = file.digest(of: file.bytes.indices)
  }

  /// 64 lower-case hexadecimal digits.
  public var description: String {
    let digits = Array("0123456789abcdef".utf8)
    return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
  }

  /// The first 12 digits: enough for a person to tell digests apart in a table.
  public var abbreviated: String { String(description.prefix(12)) }

  public static func < (left: Digest, right: Digest) -> Bool {
    left.bytes.lexicographicallyPrecedes(right.bytes)
  }
}

extension MappedFile {
  /// SHA-256 of a part of the file, which need not fit into memory.
  public func digest(of range: Range<Int>) -> Digest {
    var hasher = DigestHasher()
    forEachWindow(of: range) { hasher.update(UnsafeRawBufferPointer(rebasing: bytes[$0])) }
    return hasher.finalize()
  }
}
