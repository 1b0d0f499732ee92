import Tensors

extension TensorChange {
  /// Takes the steps of the corrections at every element (Spec: corrections), or takes them back.
  ///
  /// - Parameters:
  ///   - elements: row-major indices of stored elements.
  ///   - bytes: their finite values: the rounded sums, or, backwards, the edited values.
  ///   - backwards: subtracts the steps.
  /// - Returns: the first element that would leave the finite range; nil if there is none. The bytes are then not to be
  ///   used.
  package func correct(_ elements: Range<Int>, _ bytes: UnsafeMutableRawPointer, backwards: Bool = false) -> Int? {
    guard hasCorrection else { return nil }
    let limit = Int64(format.infinity)
    return withUnsafeTemporaryAllocation(of: Int64.self, capacity: elements.count) { buffer in
      let sums = buffer.baseAddress!
      sums.initialize(repeating: 0, count: elements.count)
      for correction in corrections { correction.add(elements, to: sums) }
      for index in 0..<elements.count where sums[index] != 0 {
        let order = Int64(format.ordered(bytes, index)) + (backwards ? -sums[index] : sums[index])
        // Order numbers of finite values: -1 - m and m, for magnitudes m below infinity.
        guard -limit <= order, order < limit else { return elements.lowerBound + index }
        format.store(Int32(order), bytes, index)
      }
      return nil
    }
  }

  /// Takes the steps of the corrections.
  ///
  /// - Throws: an `ErrataError` that names the first element that would leave the finite range.
  package func correct(_ elements: Range<Int>, in bytes: UnsafeMutableRawPointer) throws {
    guard let failed = correct(elements, bytes) else { return }
    let (row, column) = failed.quotientAndRemainder(dividingBy: columns)
    throw ErrataError.correctionOverflows(name, dtype, row: row, column: column)
  }

  /// The steps that are missing: from the edited value of every element, corrections included, to a target.
  ///
  /// - Parameters:
  ///   - elements: row-major indices of stored elements.
  ///   - base: the bytes of the whole base, of any alignment.
  ///   - target: the bytes of the whole target.
  /// - Throws: an `ErrataError` if a value of the base or of the target is not finite, or if an edited value overflows.
  public func steps(
    _ elements: Range<Int>, from base: UnsafeRawBufferPointer, to target: UnsafeRawBufferPointer
  ) throws -> [Int32] {
    precondition(base.count == elementCount * format.width && target.count == base.count)
    guard !elements.isEmpty else { return [] }
    let (base, target) = (base.baseAddress!, target.baseAddress!)
    var result = [UInt8](repeating: 0, count: elements.count * format.width)
    try round(elements, base: base + elements.lowerBound * format.width, into: &result)
    try correct(elements, in: &result)
    return try result.withUnsafeBytes { result in
      try elements.map { element in
        let wanted = format.ordered(target, element)
        guard (wanted < 0 ? -1 - wanted : wanted) < format.infinity else {
          let (row, column) = element.quotientAndRemainder(dividingBy: columns)
          throw ErrataError.baseNotFinite(name, row: row, column: column)
        }
        let found = format.ordered(result.baseAddress!, element - elements.lowerBound)
        let (step, overflow) = wanted.subtractingReportingOverflow(found)
        // Only float32 numbers of opposite sign and enormous size are that far apart.
        guard !overflow else {
          let (row, column) = element.quotientAndRemainder(dividingBy: columns)
          throw ErrataError.resultOverflows(name, dtype, row: row, column: column)
        }
        return step
      }
    }
  }
}
