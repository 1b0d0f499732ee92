/// The extents of a tensor, outermost first. A scalar has none.
public struct Shape: Hashable, Sendable, CustomStringConvertible, ExpressibleByArrayLiteral {
  public let extents: [Int]

  public init(_ extents: [Int]) {
    self.extents = extents
  }

  public init(arrayLiteral elements: Int...) {
    self.init(elements)
  }

  /// The product of the extents, or nil if one is negative or the product overflows.
  public var elementCount: Int? {
    var product = 1
    for extent in extents {
      guard extent >= 0 else { return nil }
      let (next, overflow) = product.multipliedReportingOverflow(by: extent)
      if overflow { return nil }
      product = next
    }
    return product
  }

  /// For example `[576, 1536]`.
  public var description: String {
    "[" + extents.map(String.init).joined(separator: ", ") + "]"
  }
}
