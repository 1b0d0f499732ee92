/// Values as one process sends them to others: for each its index, the number of steps, v0, delta, and five numbers a
/// step, all as they stand in memory. (The processes of a group are of one program, on machines of one kind.)
enum ValueMessage {
  static func encode(_ values: [FoundValue?]) -> [UInt8] {
    var bytes: [UInt8] = []
    func append<Element>(_ elements: [Element]) { elements.withUnsafeBytes { bytes += $0 } }
    for case (let index, let value?) in values.enumerated() {
      append([index, value.steps.count])
      append(value.initial)
      append(value.delta)
      append(
        value.steps.flatMap { [$0.loss, $0.negativeLogLikelihood, $0.divergence, $0.weightDecay, $0.deltaNorm] })
    }
    return bytes
  }

  /// - Parameter size: the model's hidden size.
  /// - Precondition: `encode` made the bytes, for a model of this size.
  static func decode(_ bytes: [UInt8], size: Int) -> [(index: Int, value: FoundValue)] {
    var result: [(Int, FoundValue)] = []
    var offset = 0
    func take<Element: BitwiseCopyable>(_ type: Element.Type, _ count: Int) -> [Element] {
      let start = offset
      offset += count * MemoryLayout<Element>.stride
      return bytes.withUnsafeBytes { bytes in
        (0..<count).map { bytes.loadUnaligned(fromByteOffset: start + $0 * MemoryLayout<Element>.stride, as: type) }
      }
    }
    while offset < bytes.count {
      let head = take(Int.self, 2)
      let (initial, delta) = (take(Float.self, size), take(Float.self, size))
      let numbers = take(Double.self, 5 * head[1])
      let steps = (0..<head[1]).map { step in
        ValueSearchStep(
          loss: numbers[5 * step], negativeLogLikelihood: numbers[5 * step + 1], divergence: numbers[5 * step + 2],
          weightDecay: numbers[5 * step + 3], deltaNorm: numbers[5 * step + 4])
      }
      result.append((head[0], FoundValue(initial: initial, delta: delta, steps: steps)))
    }
    return result
  }
}
