import CKernels
import WeightPatch

/// Codes a chunk's base values, given the edited values and the change: for every element the values `v` with
/// `round(v + delta) = current` are neighbours, and mostly there is one; where there are more, the stream says which
/// (Spec: undo record).
struct UndoCoding {
  let format: StoredFormat
  private static let runLength = 256

  /// The stream that leads back to the base, whose values mark the elements.
  ///
  /// - Precondition: each of these values is a candidate.
  func encode(_ open: borrowing OpenElements) -> [UInt8] {
    var encoder = RangeEncoder()
    var models = ZeroModels()
    _ = forEachRun(of: open) { run, sets in
      var position = 0
      while true {
        position += encoder.encode(run.marks + position, of: sets[position..<run.count])
        guard position < run.count else { return true }
        let (low, high, value) = (run.low[position], run.high[position], run.marks[position])
        precondition(low <= value && value <= high, "the edited value does not come from this base")
        CandidateSet(low: low, high: high, fractionBits: format.fractionBits).encode(value, into: &encoder, &models)
        position += 1
      }
    }
    return encoder.finish()
  }

  /// Completes `base`, in which those elements are set already that have just one candidate, to what was encoded; false
  /// if the stream, or what it is decoded against, is not what it was. True is no proof: only the digest of the whole
  /// base is.
  func decode(
    _ stream: UnsafeRawBufferPointer, _ open: borrowing OpenElements, into base: UnsafeMutableRawPointer
  ) -> Bool {
    var reader = UndoReader(stream)
    return decode(&reader, open, into: base)
  }

  /// As above, for the elements that come next in a stream.
  func decode(_ reader: inout UndoReader, _ open: borrowing OpenElements, into base: UnsafeMutableRawPointer) -> Bool {
    forEachRun(of: open) { run, sets in
      for position in 0..<run.count {
        let (low, high) = (run.low[position], run.high[position])
        guard low < high else { return false }
        let value =
          sets[position].isEven
          ? sets[position].decode(from: &reader.decoder)
          : CandidateSet(low: low, high: high, fractionBits: format.fractionBits)
            .decode(from: &reader.decoder, &reader.models)
        guard let value else { return false }
        format.store(value, base, Int(run.marks[position]))
      }
      return true
    }
  }

  @inline(__always)
  private func forEachRun(
    of open: borrowing OpenElements,
    _ body: (OpenElements.Run, UnsafeMutableBufferPointer<errata_even_candidates>) -> Bool
  ) -> Bool {
    withUnsafeTemporaryAllocation(of: errata_even_candidates.self, capacity: Self.runLength) { sets in
      open.forEachRun(of: Self.runLength) { run in
        errata_find_even_candidates(Int32(format.fractionBits), run.low, run.high, sets.baseAddress, run.count)
        return body(run, sets)
      }
    }
  }
}

/// How far a stream has been decoded; a copy goes on from the same place.
struct UndoReader {
  fileprivate var decoder: RangeDecoder
  fileprivate var models = ZeroModels()

  /// - Parameter stream: stays where it is.
  init(_ stream: UnsafeRawBufferPointer) { decoder = RangeDecoder(stream) }
}
