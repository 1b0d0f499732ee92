import Foundation
import Tensors

/// The characters that a SentencePiece model replaces before anything else (`precompiled_charsmap`): a double-array
/// trie (Darts-clone) of character sequences, and the texts that take their place.
struct CharacterMap: Sendable {
  /// Longer clusters are looked up character by character.
  private static let clusterLimit = 6

  /// The trie's units: a label, an offset to the children, and whether a sequence ends there; or a value.
  private let units: [UInt32]
  /// The replacements, each ended by a zero. Well-formed UTF-8.
  private let texts: [UInt8]

  /// Reads `precompiled_charsmap`: in base64 the length of the trie in bytes, the trie and the texts, little-endian.
  ///
  /// - Throws: an `ErrataError` if it is damaged.
  init(_ section: Section) throws {
    func damaged(_ reason: String) -> ErrataError {
      .damagedCharacterMap(file: section.file, field: section.name, reason: reason)
    }
    guard let bytes = Data(base64Encoded: Data(try section.bytes().bytes)).map({ Array($0) }) else {
      throw damaged("it is not base64")
    }
    func word(_ offset: Int) -> UInt32 {
      bytes.withUnsafeBytes { UInt32(littleEndian: $0.loadUnaligned(fromByteOffset: offset, as: UInt32.self)) }
    }
    guard bytes.count >= 4, case let length = Int(word(0)), length % 4 == 0, length <= bytes.count - 4 else {
      throw damaged("its length does not fit")
    }
    units = (0..<length / 4).map { word(4 + 4 * $0) }
    texts = Array(bytes[(4 + length)...])
    guard String(validating: texts, as: UTF8.self) != nil else { throw damaged("its texts are not UTF-8") }
  }

  /// What takes the place of each part of `text` that the map changes.
  ///
  /// As in SentencePiece's Rust port, which the files are made for: a cluster of up to five bytes is replaced as a
  /// whole by what stands for its shortest beginning in the map; otherwise each character alone.
  func replacements(in text: String) -> [(range: Range<Int>, bytes: [UInt8])] {
    var replacements: [(range: Range<Int>, bytes: [UInt8])] = []
    var position = 0
    for cluster in text {
      let length = cluster.utf8.count
      if length < Self.clusterLimit, let replacement = replacement(of: cluster.utf8) {
        replacements.append((position..<position + length, replacement))
        position += length
        continue
      }
      for scalar in cluster.unicodeScalars {
        let end = position + UTF8.width(scalar)
        if let replacement = replacement(of: Unicode.UTF8.encode(scalar)!) {
          replacements.append((position..<end, replacement))
        }
        position = end
      }
    }
    return replacements
  }

  /// The text for the shortest beginning of `key` that is in the trie; nil if there is none. A damaged trie leads
  /// outside, where nothing is found.
  private func replacement(of key: some Sequence<UInt8>) -> [UInt8]? {
    guard var unit = units.first else { return nil }
    var node = Self.offset(unit)
    for byte in key where byte != 0 {
      node ^= Int(byte)
      guard node < units.count else { return nil }
      unit = units[node]
      guard unit & (1 << 31 | 0xFF) == UInt32(byte) else { return nil }
      node ^= Self.offset(unit)
      if unit >> 8 & 1 == 1 {
        guard node < units.count, case let start = Int(units[node] & ~(1 << 31)), start < texts.count,
          texts[start] & 0xC0 != 0x80
        else { return nil }
        return Array(texts[start...].prefix { $0 != 0 })
      }
    }
    return nil
  }

  private static func offset(_ unit: UInt32) -> Int {
    Int((unit >> 10) << ((unit & 1 << 9) >> 6))
  }
}
