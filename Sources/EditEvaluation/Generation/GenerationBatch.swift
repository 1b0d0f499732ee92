import KnowledgeEditing
import Tensors
import Transformer

/// How many texts a model continues at once: what the keys and values of all their tokens take is bounded.
enum GenerationBatch {
  /// Of kept keys and values.
  private static let byteBudget = 256 << 20
  static let largestCount = 64

  /// The numbers of texts of `lengths` tokens (with what is added) that go into the batches, in order.
  static func ranges(_ lengths: [Int], _ architecture: Architecture) -> [Range<Int>] {
    // Keys and values of every layer, float32.
    let bytesPerToken = architecture.keyValueByteCount
    var ranges: [Range<Int>] = []
    var (start, bytes) = (0, 0)
    for (index, length) in lengths.enumerated() {
      if index > start, bytes + length * bytesPerToken > byteBudget || index - start == largestCount {
        ranges.append(start..<index)
        (start, bytes) = (index, 0)
      }
      bytes += length * bytesPerToken
    }
    if start < lengths.count { ranges.append(start..<lengths.count) }
    return ranges
  }
}
