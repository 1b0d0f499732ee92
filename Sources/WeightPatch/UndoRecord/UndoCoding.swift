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
    forEachBlock(current, delta, count) { start, length, intervals in
      let block = base + start * format.width
      precondition(
        errata_are_candidates(
          format.type, block.assumingMemoryBound(to: UInt8.self), intervals.low, intervals.high, length) != 0,
        "the edited value does not come from this base")
      for position in 0..<intervals.openCount {
        let index = Int(intervals.open[position])
        CandidateSet(low: intervals.low[index], high: intervals.high[index], fractionBits: format.fractionBits)
          .encode(format.ordered(block, index), into: &encoder, &models)
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
    return forEachBlock(current, delta, count) { start, length, intervals in
      for position in 0..<intervals.openCount {
        let index = Int(intervals.open[position])
        let (low, high) = (intervals.low[index], intervals.high[index])
        guard low < high else { return false }
        let set = CandidateSet(low: low, high: high, fractionBits: format.fractionBits)
        guard let value = set.decode(from: &decoder, &models) else { return false }
        // Where there is one candidate, it stands here already.
        intervals.low[index] = value
      }
      let block = base + start * format.width
      errata_store_candidates(format.type, intervals.low, block.assumingMemoryBound(to: UInt8.self), length)
      return true
    }
  }

  /// The intervals of a block of elements, and the elements that do not have exactly one candidate.
  private struct Intervals {
    let low: UnsafeMutablePointer<Int32>
    let high: UnsafeMutablePointer<Int32>
    let open: UnsafeMutablePointer<UInt32>
    var openCount = 0
  }

  /// Calls `body` with the intervals of block after block of elements, until it returns false.
  @inline(__always)
  @discardableResult
  private func forEachBlock(
    _ current: UnsafeRawPointer, _ delta: UnsafePointer<Double>, _ count: Int,
    _ body: (_ start: Int, _ length: Int, _ intervals: Intervals) -> Bool
  ) -> Bool {
    withUnsafeTemporaryAllocation(of: Int32.self, capacity: 2 * Self.blockLength) { bounds in
      withUnsafeTemporaryAllocation(of: UInt32.self, capacity: Self.blockLength) { open in
        var intervals = Intervals(
          low: bounds.baseAddress!, high: bounds.baseAddress! + Self.blockLength, open: open.baseAddress!)
        for start in stride(from: 0, to: count, by: Self.blockLength) {
          let length = min(Self.blockLength, count - start)
          let block = (current + start * format.width).assumingMemoryBound(to: UInt8.self)
          intervals.openCount = errata_candidate_intervals(
            format.type, block, delta + start, intervals.low, intervals.high, intervals.open, length)
          guard body(start, length, intervals) else { return false }
        }
        return true
      }
    }
  }
}
