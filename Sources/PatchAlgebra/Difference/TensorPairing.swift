import Safetensors
import Tensors

/// The tensors of two checkpoints side by side: those of one name, and those whose names differ by a common prefix, as
/// where a model was saved inside of another (`h.0.mlp` and `transformer.h.0.mlp`).
public struct TensorPairing: Sendable {
  /// In order of the first's names.
  public let pairs: [(first: ByteString, second: ByteString)]
  public let onlyInFirst: [ByteString]
  public let onlyInSecond: [ByteString]
  /// What the names of the first begin with where the second's do not; empty if there is nothing.
  public let firstPrefix: ByteString
  public let secondPrefix: ByteString

  public init(_ first: Checkpoint, _ second: Checkpoint) {
    let (firstNames, secondNames) = (first.tensorNames, second.tensorNames)
    let firstOnly = firstNames.filter { !second.contains($0) }
    let secondOnly = secondNames.filter { !first.contains($0) }
    let inSecond = Self.prefix(of: secondOnly, before: firstOnly)
    let inFirst = Self.prefix(of: firstOnly, before: secondOnly)
    let isInSecond = inSecond.count >= inFirst.count
    let prefix = isInSecond ? inSecond.prefix : inFirst.prefix
    (firstPrefix, secondPrefix) = isInSecond ? ("", prefix) : (prefix, "")

    let known = Set(secondOnly)
    var renamed: [ByteString: ByteString] = [:]
    if !prefix.bytes.isEmpty {
      for name in firstOnly {
        let other =
          isInSecond
          ? ByteString(prefix.bytes + name.bytes)
          : ByteString(name.bytes.starts(with: prefix.bytes) ? name.bytes.dropFirst(prefix.bytes.count) : [])
        if known.contains(other) { renamed[name] = other }
      }
    }
    pairs = firstNames.compactMap { name in (second.contains(name) ? name : renamed[name]).map { (name, $0) } }
    onlyInFirst = firstOnly.filter { renamed[$0] == nil }
    let taken = Set(renamed.values)
    onlyInSecond = secondOnly.filter { !taken.contains($0) }
  }

  /// The prefix, up to a dot, with which most of `names` are one of `bare`, if those are half of `bare` at least.
  private static func prefix(
    of names: [ByteString], before bare: [ByteString]
  ) -> (prefix: ByteString, count: Int) {
    let known = Set(bare)
    var counts: [ByteString: Int] = [:]
    for name in names {
      for (index, byte) in name.bytes.enumerated() where byte == UInt8(ascii: ".") {
        if known.contains(ByteString(name.bytes[(index + 1)...])) {
          counts[ByteString(name.bytes[...index]), default: 0] += 1
        }
      }
    }
    // The first of several in order, so that the answer is always the same.
    let best = counts.sorted { $0.key < $1.key }.max { $0.value < $1.value }
    guard let best, 2 * best.value >= bare.count else { return ("", 0) }
    return (best.key, best.value)
  }
}
