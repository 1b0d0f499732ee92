import Foundation
import Tensors

/// One figure of an evaluation, with how sure it is.
public struct Metric: Sendable, Equatable {
  public let name: String
  public let value: Double
  /// Of the value, as a sample of the cases that could have been asked; nil where there is none or it is not known.
  public let standardError: Double?
  /// How many cases (records, texts, windows) the value is taken over.
  public let count: Int

  public init(_ name: String, _ value: Double, standardError: Double? = nil, count: Int) {
    self.name = name
    self.value = value
    self.standardError = standardError
    self.count = count
  }

  /// The mean of `values`, times `scale`, with its standard error: the sample standard deviation over the root of their
  /// number. nil if there are none.
  public init?(_ name: String, meanOf values: [Double], scale: Double = 1) {
    guard !values.isEmpty else { return nil }
    let mean = values.reduce(0, +) / Double(values.count)
    let squares = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    let count = Double(values.count)
    self.init(
      name, scale * mean, standardError: values.count > 1 ? scale * (squares / (count - 1) / count).squareRoot() : nil,
      count: values.count)
  }

  public var json: JSON {
    [
      "metric": JSON(name), "value": .double(value), "count": .integer(count),
      "standard_error": standardError.map { .double($0) } ?? .null,
    ]
  }
}

/// The metrics of one part of an evaluation, as tables and files name it: "facts", "perplexity", "sst2".
public struct MetricSection: Sendable, Equatable {
  public let name: String
  public let metrics: [Metric]

  public init(_ name: String, _ metrics: [Metric]) {
    self.name = name
    self.metrics = metrics
  }
}
