import Foundation
import Safetensors
import Synchronization
import Tensors

extension StoredTensor {
  /// Whether two tensors have the same dtype, shape and bytes. Reads both, in parallel, up to a window that differs,
  /// and lets go of the memory that maps them; what is the same place of one file, under whatever names, is not read.
  package func isIdentical(to other: StoredTensor) -> Bool {
    guard dtype == other.dtype, shape == other.shape else { return false }
    if file.identity == other.file.identity, info.fileRange == other.info.fileRange { return true }
    let count = info.byteCount
    let isEqual = Atomic(true)
    Threads.forEach((count + Self.comparedByteCount - 1) / Self.comparedByteCount) { window in
      guard isEqual.load(ordering: .relaxed) else { return }
      let part = window * Self.comparedByteCount..<min((window + 1) * Self.comparedByteCount, count)
      if memcmp(bytes.baseAddress! + part.lowerBound, other.bytes.baseAddress! + part.lowerBound, part.count) != 0 {
        isEqual.store(false, ordering: .relaxed)
      }
      release(part)
      other.release(part)
    }
    return isEqual.load(ordering: .relaxed)
  }

  private static let comparedByteCount = 1 << 20

  /// Lets go of the memory that maps some of the tensor's bytes.
  private func release(_ part: Range<Int>) {
    let start = info.fileRange.lowerBound
    file.release(start + part.lowerBound..<start + part.upperBound)
  }
}
