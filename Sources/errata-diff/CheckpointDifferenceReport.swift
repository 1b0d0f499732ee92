import Foundation
import PatchAlgebra
import Safetensors
import Tensors
import ToolSupport
import WeightPatch

/// What is said of two checkpoints.
struct CheckpointDifferenceReport {
  let first: String
  let second: String
  let difference: CheckpointDifference
  let rule: NumericalRank.Rule

  var lines: [String] {
    let same = "\(difference.identicalCount) tensor\(difference.identicalCount == 1 ? " is" : "s are") the same"
    guard !difference.differences.isEmpty else {
      return [printable("\(first), \(second): \(same), bit for bit")]
    }
    var table = TextTable([
      ("tensor", .left), ("changed", .right), ("|D|", .right), ("|D|/|W|", .right), ("max |D|", .right),
      ("rank", .right),
      ("", .left),
    ])
    var hasRank = false
    for tensor in difference.differences {
      let name = printable(tensor.name.description)
      switch tensor.change {
      case .added: table.append([name, "", "", "", "", "", "only in \(printable(second))"])
      case .removed: table.append([name, "", "", "", "", "", "only in \(printable(first))"])
      case .retyped(let before, let after):
        table.append([name, "", "", "", "", "", "\(describe(before)) => \(describe(after))"])
      case .bytes(let changed):
        table.append([name, "", "", "", "", "", "\(changed) byte\(changed == 1 ? "" : "s") changed"])
      case .weights(let figures, let rank):
        hasRank = hasRank || rank != nil
        table.append([
          name, share(figures), number(figures.norm), number(figures.relativeNorm), number(figures.maximum),
          rank.map { "\($0.isLowerBound ? ">=" : "")\($0.value)" } ?? "-",
          figures.norm.isFinite ? "" : "not finite",
        ])
      }
    }
    return table.lines + [""] + (hasRank ? [footnote] : []) + ["\(same), bit for bit"]
  }

  private var footnote: String {
    switch rule {
    case .rounding: "rank: singular values of D above what rounding explains"
    case .tolerance(let tolerance): "rank: leaves at most \(number(tolerance)) |D|"
    }
  }

  private func describe(_ info: TensorInfo) -> String { "\(info.dtype.rawValue) \(info.shape)" }

  private func share(_ figures: DifferenceFigures) -> String {
    formatShare(Double(figures.changedCount) / Double(figures.elementCount), digits: 3)
  }

  var json: JSON {
    [
      "first": JSON(first), "second": JSON(second), "different": .bool(!difference.differences.isEmpty),
      "identical": .integer(difference.identicalCount), "rank_rule": JSON(ruleName),
      "tensors": .array(
        difference.differences.map { tensor in
          var object = JSONObject()
          object["name"] = .string(tensor.name)
          switch tensor.change {
          case .added: object["change"] = "added"
          case .removed: object["change"] = "removed"
          case .retyped(let before, let after):
            object["change"] = "retyped"
            object["before"] = JSON(describe(before))
            object["after"] = JSON(describe(after))
          case .bytes(let changed):
            object["change"] = "bytes"
            object["changed_bytes"] = .integer(changed)
          case .weights(let figures, let rank):
            object["change"] = "weights"
            object["changed_elements"] = .integer(figures.changedCount)
            object["elements"] = .integer(figures.elementCount)
            object["norm"] = jsonNumber(figures.norm)
            object["relative_norm"] = jsonNumber(figures.relativeNorm)
            object["maximum"] = jsonNumber(figures.maximum)
            object["rounding_floor"] = jsonNumber(figures.roundingFloor)
            object["rank"] = rank.map { .integer($0.value) } ?? .null
            object["rank_is_lower_bound"] = rank.map { .bool($0.isLowerBound) } ?? .null
          }
          return .object(object)
        }),
    ]
  }

  private var ruleName: String {
    switch rule {
    case .rounding: "above rounding"
    case .tolerance(let tolerance): "tolerance \(tolerance)"
    }
  }
}

/// What is said of the difference of two checkpoints as a patch.
struct DifferencePatchReport {
  let path: String
  let patch: Patch
  let byteCount: Int
  let tensors: [DifferencePatch.TensorReport]
  /// Whether there are corrections for what the factors miss.
  let isExact: Bool

  var lines: [String] {
    var table = TextTable([
      ("tensor", .left), ("|D|/|W|", .right), ("rank", .right), ("stored", .left),
      (isExact ? "corrected" : "missed of D", .right),
    ])
    for tensor in tensors {
      let share = tensor.missed ?? Double(tensor.correctedCount) / Double(tensor.figures.elementCount)
      table.append([
        printable(tensor.name.description), number(tensor.figures.relativeNorm), "\(tensor.rank)",
        tensor.factorType?.rawValue ?? "-", formatShare(share, digits: 3),
      ])
    }
    let notice = isExact ? [] : ["not exact: what low rank misses is not corrected"]
    return table.lines + notice + [
      printable("\(path): patch \(patch.identifier.abbreviated), \(patch.extent), \(formatBytes(byteCount))")
    ]
  }

  var json: JSON {
    [
      "output": JSON(path), "patch": JSON(patch.identifier.description), "bytes": .integer(byteCount),
      "different": true, "exact": .bool(isExact),
      "tensors": .array(
        tensors.map { tensor in
          [
            "name": .string(tensor.name), "relative_norm": jsonNumber(tensor.figures.relativeNorm),
            "rank": .integer(tensor.rank), "factor_type": tensor.factorType.map { JSON($0.rawValue) } ?? .null,
            "corrected_elements": .integer(tensor.correctedCount), "elements": .integer(tensor.figures.elementCount),
            "missed": tensor.missed.map { .double($0) } ?? .null,
          ]
        }),
    ]
  }
}
