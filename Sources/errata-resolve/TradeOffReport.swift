import Foundation
import PatchAlgebra
import Tensors
import ToolSupport

/// What `errata resolve --tradeoff` says.
struct TradeOffReport: Answer {
  let kind = "resolve.tradeoff"

  let tradeOff: TradeOff
  let isPerTensor: Bool

  var lines: [String] {
    guard isPerTensor else {
      return table(
        tradeOff.total, power: tradeOff.outputPower, recorded: recorded, isUpperBound: tradeOff.isUpperBound)
    }
    return tradeOff.curves.enumerated().flatMap { position, curve in
      (position > 0 ? [""] : []) + ["batch \(curve.batch), \(printable(curve.tensor.description))"]
        + table(curve.points, power: curve.outputPower, recorded: [curve.lambda], isUpperBound: curve.isUpperBound)
    }
  }

  private var recorded: Set<Double> { Set(tradeOff.curves.map(\.lambda)) }

  /// The figures and, as bars, both sides of the trade: preservation against its largest, and the mean shortfall.
  private func table(
    _ points: [TradeOff.Point], power: Double?, recorded: Set<Double>, isUpperBound: Bool
  ) -> [String] {
    let bound = isUpperBound ? "<= " : ""
    var table = TextTable([
      ("", .left), ("lambda", .right), ("preservation", .right), ("of output", .right), ("short mean", .right),
      ("worst", .right), ("preservation", .left), ("short", .left),
    ])
    let largest = points.map(\.preservation).max() ?? 0
    for point in points {
      table.append([
        recorded.contains(point.lambda) ? "now" : "", formatNumber(point.lambda),
        bound + formatNumber(point.preservation), power.map { bound + share(point.preservation / $0) } ?? "-",
        share(point.meanShortfall), share(point.worstShortfall),
        bar(largest > 0 ? point.preservation / largest : 0), bar(point.meanShortfall),
      ])
    }
    return table.lines + (isUpperBound ? [upperBoundNote] : [])
  }

  private func bar(_ share: Double) -> String {
    String(repeating: "#", count: Int((20 * min(max(share, 0), 1)).rounded()))
  }

  /// A share that may be very small, to three digits.
  private func share(_ value: Double) -> String { formatShare(value, digits: 3) }
}

extension TradeOffReport {
  var json: JSON {
    var answer = JSONObject(["total": .array(tradeOff.total.map { $0.json(power: tradeOff.outputPower) })])
    answer["preservation_is_upper_bound"] = .bool(tradeOff.isUpperBound)
    if isPerTensor {
      answer["tensors"] = .array(
        tradeOff.curves.map { curve in
          [
            "batch": .integer(curve.batch), "tensor": .string(curve.tensor), "lambda": .double(curve.lambda),
            "preservation_is_upper_bound": .bool(curve.isUpperBound),
            "points": .array(curve.points.map { $0.json(power: curve.outputPower) }),
          ]
        })
    }
    return .object(answer)
  }
}

extension TradeOff.Point {
  fileprivate func json(power: Double?) -> JSON {
    [
      "lambda": .double(lambda), "preservation": .double(preservation),
      "preservation_share": JSON(power.map { preservation / $0 }),
      "short_mean": .double(meanShortfall), "short_worst": .double(worstShortfall),
    ]
  }
}
