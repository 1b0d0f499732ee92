// What stands in an answer and may be missing: null where it is.

extension JSON {
  public init(_ text: String?) { self = text.map { JSON($0) } ?? .null }

  public init(_ number: Int?) { self = number.map { .integer($0) } ?? .null }

  public init(_ value: Bool?) { self = value.map { .bool($0) } ?? .null }

  /// JSON has neither infinities nor NaN: what is not finite is null too.
  public init(_ number: Double?) {
    guard let number, number.isFinite else {
      self = .null
      return
    }
    self = .double(number)
  }

  /// A digest or an ID, in hexadecimal.
  public init(_ digest: Digest?) { self = digest.map { JSON($0.description) } ?? .null }
}
