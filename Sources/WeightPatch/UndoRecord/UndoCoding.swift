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
    let fractionBits = format.fractionBits
    var encoder = RangeEncoder()
    var models = ZeroModels()
    withUnsafeTemporaryAllocation(of: EvenChoice.self, capacity: Self.blockLength) { choices in
      _ = forEachBlock(base: base, current, delta, count) { start, _, intervals in
        let block = base + start * format.width
        // Choices of the usual kind are gathered, so that one short loop writes them.
        var choiceCount = 0
        for position in 0..<intervals.openCount {
          let index = Int(intervals.open[position])
          let (low, high) = (intervals.low[index], intervals.high[index])
          let value = format.ordered(block, index)
          precondition(low <= value && value <= high, "the edited value does not come from this base")
          if let even = EvenCandidates(low: low, high: high, fractionBits: fractionBits) {
            choices[choiceCount] = even.choice(of: value)
            choiceCount += 1
          } else {
            encoder.encode(UnsafeBufferPointer(rebasing: choices[..<choiceCount]))
            choiceCount = 0
            CandidateSet(low: low, high: high, fractionBits: fractionBits).encode(value, into: &encoder, &models)
          }
        }
        encoder.encode(UnsafeBufferPointer(rebasing: choices[..<choiceCount]))
        return true
      }
    }
    return encoder.finish()
  }

  /// Sets `base` to what `encode` was given; false if the stream, or what it is decoded against, is not what it was.
  /// True is no proof: only the digest of the whole base is.
  func decode(
    _ stream: UnsafeRawBufferPointer, current: UnsafeRawPointer, delta: UnsafePointer<Double>, count: Int,
    into base: UnsafeMutableRawPointer
  ) -> Bool {
    let fractionBits = format.fractionBits
    var decoder = RangeDecoder(stream)
    var models = ZeroModels()
    return forEachBlock(base: nil, current, delta, count) { start, length, intervals in
      for position in 0..<intervals.openCount {
        let index = Int(intervals.open[position])
        let (low, high) = (intervals.low[index], intervals.high[index])
        guard low < high else { return false }
        // Where there is one candidate, it stands here already.
        if let even = EvenCandidates(low: low, high: high, fractionBits: fractionBits) {
          guard let value = even.decode(from: &decoder) else { return false }
          intervals.low[index] = value
        } else {
          let set = CandidateSet(low: low, high: high, fractionBits: fractionBits)
          guard let value = set.decode(from: &decoder, &models) else { return false }
          intervals.low[index] = value
        }
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
  ///
  /// - Parameter base: the values that the intervals hold, if they are known.
  @inline(__always)
  private func forEachBlock(
    base: UnsafeRawPointer?, _ current: UnsafeRawPointer, _ delta: UnsafePointer<Double>, _ count: Int,
    _ body: (_ start: Int, _ length: Int, _ intervals: Intervals) -> Bool
  ) -> Bool {
    withUnsafeTemporaryAllocation(of: Int32.self, capacity: 2 * Self.blockLength) { bounds in
      withUnsafeTemporaryAllocation(of: UInt32.self, capacity: Self.blockLength) { open in
        var intervals = Intervals(
          low: bounds.baseAddress!, high: bounds.baseAddress! + Self.blockLength, open: open.baseAddress!)
        for start in stride(from: 0, to: count, by: Self.blockLength) {
          let length = min(Self.blockLength, count - start)
          let block = start * format.width
          intervals.openCount = errata_candidate_intervals(
            format.type, (base?.advanced(by: block))?.assumingMemoryBound(to: UInt8.self),
            (current + block).assumingMemoryBound(to: UInt8.self), delta + start, intervals.low, intervals.high,
            intervals.open, length)
          guard body(start, length, intervals) else { return false }
        }
        return true
      }
    }
  }
}
