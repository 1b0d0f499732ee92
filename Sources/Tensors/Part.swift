/// One of the parts of a piece of work, each done by a process of its own: 3/8 is the third of eight.
public struct Part: Sendable, Hashable, CustomStringConvertible {
  /// From 1.
  public let index: Int
  public let count: Int

  /// - Returns: nil unless 1 <= index <= count.
  public init?(_ index: Int, of count: Int) {
    guard index >= 1, index <= count else { return nil }
    (self.index, self.count) = (index, count)
  }

  /// - Parameter text: like `3/8`.
  public init?(_ text: String) {
    let numbers = text.split(separator: "/", omittingEmptySubsequences: false).map { Int($0) }
    guard numbers.count == 2, let index = numbers[0], let count = numbers[1] else { return nil }
    self.init(index, of: count)
  }

  /// Whether the part does an item of the work, counted from 0: every `count`-th is one part's, so that the parts of
  /// work whose items grow or shrink along the way are alike.
  public func takes(_ item: Int) -> Bool { item % count == index - 1 }

  public var description: String { "\(index)/\(count)" }
}
