import CKernels
import LinearAlgebra
import Tensors

/// Normalization of the queries and keys in packed query-key-value rows, and of the values in some families.
struct HeadNormalization {
  let followsRotation: Bool
  /// The values of a row that are normalized, at its start.
  let size: Int
  /// Each normalization, where its first vector starts in a row, and how many it serves.
  private let spans: [(normalization: Normalization, start: Int, count: Int)]

  /// - Parameter query, key, value: one normalization, over as many of the vectors as it is wide, or one for each head;
  ///   no `value` if values stay as they are.
  init(
    query: [Normalization], key: [Normalization], value: [Normalization] = [], heads: Architecture.Heads,
    followsRotation: Bool = false
  ) {
    self.followsRotation = followsRotation
    var end = 0
    var spans: [(normalization: Normalization, start: Int, count: Int)] = []
    for (part, size) in [(query, heads.querySize), (key, heads.keyValueSize), (value, heads.keyValueSize)] {
      for (index, normalization) in part.enumerated() {
        let share = size / part.count
        spans.append((normalization, end + index * share, share / normalization.width))
      }
      if !part.isEmpty { end += size }
    }
    self.spans = spans
    size = end
  }

  /// Normalizes the start of each row of `packed` (row stride `stride`), in place.
  ///
  /// - Parameter unnormalized: gets what it was, rows x `size`, for `backward`.
  func forward(
    _ packed: UnsafeMutablePointer<Float>, stride: Int, rows: Int, recording unnormalized: UnsafeMutablePointer<Float>
  ) {
    let (packed, unnormalized) = (Shared(packed), Shared(unnormalized))
    Threads.forRanges(rows, grain: 64) { range in
      for row in range {
        let (target, source) = (packed.pointer + row * stride, unnormalized.pointer + row * size)
        source.update(from: target, count: size)
        for (normalization, start, count) in spans {
          normalization.forwardRows(source + start, rows: count, into: target + start)
        }
      }
    }
  }

  /// Turns the gradients with respect to what was normalized into those with respect to what it was, in place of
  /// `dPacked` (row stride `stride`).
  ///
  /// - Parameter unnormalized: as `forward` recorded it.
  func backward(
    _ unnormalized: UnsafePointer<Float>, _ dPacked: UnsafeMutablePointer<Float>, stride: Int, rows: Int
  ) {
    let (unnormalized, dPacked) = (Shared(unnormalized), Shared(dPacked))
    Threads.forRanges(rows, grain: 64) { range in
      withUnsafeTemporaryAllocation(of: Float.self, capacity: size) { scratch in
        let dNormalized = scratch.baseAddress!
        for row in range {
          let (source, target) = (unnormalized.pointer + row * size, dPacked.pointer + row * stride)
          dNormalized.update(from: target, count: size)
          target.update(repeating: 0, count: size)
          for (normalization, start, count) in spans {
            normalization.backwardRows(source + start, dNormalized + start, rows: count, addingInto: target + start)
          }
        }
      }
    }
  }
}
