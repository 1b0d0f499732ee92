import CKernels
import Tensors

/// Applies factors to a whole tensor: `result = round(base + d)`, `d` summed in binary64 in the order of the factors
/// and of their facts, rounded once, to nearest, ties to even, and then the steps of the corrections (Spec: exact
/// apply). The bytes are the same on every machine and for every number of threads.
///
/// - Parameters:
///   - factors: one for every batch that edits the tensor, in ascending order of batch digest.
///   - base: the stored elements, of any alignment.
///   - shape: as stored; see `TensorChange`.
///   - result: room for as many bytes as `base`; may be the same memory.
/// - Throws: an `ErrataError` if the shape does not fit, or if an element is not finite or overflows; `result` is then
///   not to be used.
public func applyExactly(
  _ factors: [LowRankFactors], name: ByteString, to base: UnsafeRawBufferPointer, dtype: DType, shape: Shape,
  into result: UnsafeMutableRawBufferPointer
) throws {
  let change = try TensorChange(factors, name: name, dtype: dtype, shape: shape)
  precondition(base.count == change.elementCount * change.format.width && result.count == base.count)
  guard let base = base.baseAddress, let result = result.baseAddress else { return }
  nonisolated(unsafe) let source = base
  nonisolated(unsafe) let destination = result
  let chunks = Chunks(rows: change.rows, columns: change.columns)
  _ = try Threads.map(0..<chunks.count) { index in
    let elements = chunks[index]
    let offset = elements.lowerBound * change.format.width
    try change.round(elements, base: source + offset, into: destination + offset)
    try change.correct(elements, in: destination + offset)
  }
}

extension TensorChange {
  /// `result = round(base + d)` for the elements `elements`, whose stored bytes begin at `base`.
  ///
  /// - Parameter body: is called with every run of elements that was rounded, and its change.
  /// - Throws: an `ErrataError` that names the first element whose base or result is not finite.
  package func round(
    _ elements: Range<Int>, base: UnsafeRawPointer, into result: UnsafeMutableRawPointer,
    _ body: (_ run: Range<Int>, _ delta: UnsafePointer<Double>) -> Void = { _, _ in }
  ) throws {
    var failed: Int?
    forEachRun(of: elements) { run, delta in
      let offset = (run.lowerBound - elements.lowerBound) * format.width
      let done = errata_round_sums(
        format.type, (base + offset).assumingMemoryBound(to: UInt8.self), delta,
        (result + offset).assumingMemoryBound(to: UInt8.self), run.count)
      if done < run.count { failed = min(failed ?? .max, run.lowerBound + done) }
      if failed == nil { body(run, delta) }
    }
    guard let failed else { return }
    let (row, column) = failed.quotientAndRemainder(dividingBy: columns)
    let ordered = format.ordered(base, failed - elements.lowerBound)
    throw max(ordered, -1 - ordered) >= format.infinity
      ? ErrataError.baseNotFinite(name, row: row, column: column)
      : ErrataError.resultOverflows(name, dtype, row: row, column: column)
  }
}
