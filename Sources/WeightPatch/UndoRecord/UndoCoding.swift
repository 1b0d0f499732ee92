import CKernels

/// Codes a chunk's base values, given the edited values and the change: for every element the values `v` with
/// `round(v + delta) = current` are neighbours, and mostly there is one; where there are more, the stream says which
/// (Spec: undo record).
struct UndoCoding {
  let format: StoredFormat
  private static let blockLength = 4096

  /// The stream that leads from `current` back to `base`.
  ///
  /// - Precondition: `current = round(base + delta)` for every one of `count` elements, all finite.
  func encode(
    base: UnsafeRawPointer, current: UnsafeRawPointer, delta: UnsafePointer<Double>, count: Int
  ) -> [UInt8] {
    var encoder = RangeEncoder()
    var models = ZeroModels()
    forEachInterval(current, delta, count) { index, low, high in
      let value = format.ordered(base, index)
      precondition(low <= value && value <= high, "the edited value does not come from this base")
      if low < high {
        CandidateSet(low: low, high: high, fractionBits: format.fractionBits).encode(value, into: &encoder, &models)
      }
      return true
    }
    return encoder.finish()
  }

  /// Sets `base` to what `encode` was given; false if the stream, or what it is decoded against, is not what it was.
  /// True is no proof: only the digest of the whole base is.
  func decode(
    _ stream: UnsafeRawBufferPointer, current: UnsafeRawPointer, delta: UnsafePointer<Double>, count: Int,
    into base: UnsafeMutableRawPointer
  ) -> Bool {
    var decoder = RangeDecoder(stream)
    var models = ZeroModels()
    return forEachInterval(current, delta, count) { index, low, high in
      guard low < high else {
        format.store(low, base, index)
        return low == high
      }
      let set = CandidateSet(low: low, high: high, fractionBits: format.fractionBits)
      guard let value = set.decode(from: &decoder, &models) else { return false }
      format.store(value, base, index)
      return true
    }
  }

  /// Calls `body` with every element's index and interval of candidates, until it returns false.
  @inline(__always)
  @discardableResult
  private func forEachInterval(
    _ current: UnsafeRawPointer, _ delta: UnsafePointer<Double>, _ count: Int,
    _ body: (_ index: Int, _ low: Int32, _ high: Int32) -> Bool
  ) -> Bool {
    withUnsafeTemporaryAllocation(of: Int32.self, capacity: 2 * Self.blockLength) { buffer in
      let low = buffer.baseAddress!
      let high = low + Self.blockLength
      for start in stride(from: 0, to: count, by: Self.blockLength) {
        let length = min(Self.blockLength, count - start)
        let block = (current + start * format.width).assumingMemoryBound(to: UInt8.self)
        errata_candidate_intervals(format.type, block, delta + start, low, high, length)
        for index in 0..<length {
          guard body(start + index, low[index], high[index]) else { return false }
        }
      }
      return true
    }
  }
}
