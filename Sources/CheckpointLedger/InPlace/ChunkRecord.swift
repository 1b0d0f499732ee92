import Foundation
import Tensors
import WeightPatch

/// What leads back from a chunk's new bytes, in the journal before the first of them is written (Spec: changes in
/// place).
struct ChunkRecord {
  /// The number of the chunk's tensor in the journal.
  let tensor: Int
  let elementCount: Int
  /// The new undo record's stream.
  let stream: UnsafeRawBufferPointer
  /// Of every block of the new bytes.
  let checksums: [UInt64]

  /// A block is the unit in which bytes are told to be new, or old, or torn.
  static let blockLength = 1024
  private static let headerLength = 20

  static func blockCount(_ elementCount: Int) -> Int { (elementCount + blockLength - 1) / blockLength }

  /// The record of a chunk, as the file has it.
  ///
  /// - Parameter tensor: the number of the chunk's tensor in the journal.
  static func serialized(_ piece: TensorTransition.Piece, tensor: Int) -> [UInt8] {
    var content: [UInt8] = []
    content.reserveCapacity(headerLength + piece.stream.count + 8 * blockCount(piece.elements.count))
    func append(_ value: some FixedWidthInteger) {
      withUnsafeBytes(of: value.littleEndian) { content.append(contentsOf: $0) }
    }
    append(UInt64(0))
    append(UInt32(tensor))
    append(UInt32(piece.elements.count))
    append(UInt32(piece.stream.count))
    content += piece.stream
    let width = piece.new.count / piece.elements.count
    piece.new.withUnsafeBytes { bytes in
      for start in stride(from: 0, to: bytes.count, by: blockLength * width) {
        let end = min(start + blockLength * width, bytes.count)
        append(checksum(UnsafeRawBufferPointer(rebasing: bytes[start..<end])))
      }
    }
    let sum = content.withUnsafeBytes { checksum(UnsafeRawBufferPointer(rebasing: $0[8...])) }
    withUnsafeBytes(of: sum.littleEndian) { content.replaceSubrange(0..<8, with: $0) }
    return content
  }

  /// Calls `body` with the records that a file begins with. A crash may have cut off the last one: the chunk was not
  /// touched then.
  static func forEach(in file: MappedFile, _ body: (ChunkRecord) throws -> Void) rethrows {
    var rest = file.bytes
    while let record = ChunkRecord(rest) {
      try body(record)
      rest = UnsafeRawBufferPointer(rebasing: rest[record.byteCount...])
    }
  }

  private var byteCount: Int { Self.headerLength + stream.count + 8 * checksums.count }

  /// The record that some bytes begin with; nil if it is not whole.
  private init?(_ bytes: UnsafeRawBufferPointer) {
    func load<Value: FixedWidthInteger & BitwiseCopyable>(_ offset: Int, as type: Value.Type) -> Value {
      Value(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: type))
    }
    guard bytes.count >= Self.headerLength else { return nil }
    tensor = Int(load(8, as: UInt32.self))
    elementCount = Int(load(12, as: UInt32.self))
    let streamEnd = Self.headerLength + Int(load(16, as: UInt32.self))
    let end = streamEnd + 8 * Self.blockCount(elementCount)
    guard (1...Chunks.longest).contains(elementCount), end <= bytes.count,
      load(0, as: UInt64.self) == checksum(UnsafeRawBufferPointer(rebasing: bytes[8..<end]))
    else { return nil }
    stream = UnsafeRawBufferPointer(rebasing: bytes[Self.headerLength..<streamEnd])
    checksums = Swift.stride(from: streamEnd, to: end, by: 8).map { load($0, as: UInt64.self) }
  }
}

/// A checksum of the journal (Spec: changes in place): four sums, each of every fourth word of eight bytes, so that the
/// processor adds to all of them at the same time. It is to tell old bytes from new ones, not friend from foe.
func checksum(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
  let factor: UInt64 = 0x9E37_79B9_7F4A_7C15
  @inline(__always) func mixed(_ sum: UInt64, _ word: UInt64) -> UInt64 {
    let product = (sum ^ word) &* factor
    return product ^ product &>> 29
  }
  var sums: (UInt64, UInt64, UInt64, UInt64) = (1, 2, 3, 4)
  var position = 0
  while position + 32 <= bytes.count {
    @inline(__always) func word(_ offset: Int) -> UInt64 {
      UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: position + offset, as: UInt64.self))
    }
    sums = (mixed(sums.0, word(0)), mixed(sums.1, word(8)), mixed(sums.2, word(16)), mixed(sums.3, word(24)))
    position += 32
  }
  // The last bytes one by one, and how many there were.
  var result = mixed(mixed(mixed(sums.0, sums.1), sums.2), sums.3)
  for byte in bytes[position...] { result = mixed(result, UInt64(byte)) }
  return mixed(result, UInt64(bytes.count))
}
