import CKernels
import LinearAlgebra
import Tensors

/// Normalization of each head's query and key in packed query-key-value rows (Qwen3), before they are rotated.
struct HeadNormalization {
  /// Weights of one head's width each; all heads share them.
  let query: Normalization
  let key: Normalization
  let headCount: Int
  let keyValueHeadCount: Int

  private var querySize: Int { headCount * query.width }
  /// The queries and keys of one row.
  private var size: Int { querySize + keyValueHeadCount * key.width }

  /// Normalizes the queries and keys at the start of each row of `packed` (row stride `stride`), in place.
  ///
  /// - Parameter unnormalized: gets what they were, rows x (queries and keys), for `backward`.
  func forward(
    _ packed: UnsafeMutablePointer<Float>, stride: Int, rows: Int, recording unnormalized: UnsafeMutablePointer<Float>
  ) {
    let (packed, unnormalized) = (Shared(packed), Shared(unnormalized))
    Threads.forRanges(rows, grain: 64) { range in
      for row in range {
        let (target, source) = (packed.pointer + row * stride, unnormalized.pointer + row * size)
        source.update(from: target, count: size)
        query.forwardRows(source, rows: headCount, into: target)
        key.forwardRows(source + querySize, rows: keyValueHeadCount, into: target + querySize)
      }
    }
  }

  /// Turns the gradients with respect to normalized queries and keys into those with respect to what they were, in
  /// place of `dPacked` (row stride `stride`).
  ///
  /// - Parameter unnormalized: as `forward` recorded them.
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
          query.backwardRows(source, dNormalized, rows: headCount, addingInto: target)
          key.backwardRows(
            source + querySize, dNormalized + querySize, rows: keyValueHeadCount, addingInto: target + querySize)
        }
      }
    }
  }
}
