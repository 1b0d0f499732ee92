import Foundation
import PatchAlgebra
import Safetensors
import Tensors
import ToolSupport
import WeightPatch

/// What is said of two checkpoints.
struct CheckpointDifferenceReport: Answer {
  let kind = "diff.checkpoints"

  let first: String
  let second: String
  let difference: CheckpointDifference
  let rule: NumericalRank.Rule

  var lines: [String] {
    let same = "\(counted(difference.identicalCount, "tensor is", "tensors are")) the same"
    let named = names.map { [$0] } ?? []
    guard !difference.differences.isEmpty else {
      return named + [printable("\(first), \(second): \(same), bit for bit")]
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
      case .retyped(let before, let after, let values):
        let relation = values.map { ", " + $0.text(before.dtype, after.dtype) } ?? ""
        table.append([name, "", "", "", "", "", "\(describe(before)) => \(describe(after))\(relation)"])
      case .bytes(let changed):
        table.append([name, "", "", "", "", "", "\(counted(changed, "byte")) changed"])
      case .weights(let figures, let rank):
        hasRank = hasRank || rank != nil
        table.append([
          name, share(figures), formatNumber(figures.norm), formatNumber(figures.relativeNorm),
          formatNumber(figures.maximum),
          rank.map { "\($0.isLowerBound ? ">=" : "")\($0.value)" } ?? "-",
          remark(figures, tensor.matrixCount),
        ])
      }
    }
    return named + table.lines + [""] + (hasRank ? [footnote] : [])
      + (difference.isOnlyOfType ? ["only the dtype differs: convert one of them to compare the rest"] : [])
      + ["\(same), bit for bit"]
  }

  /// By what the names of one of the checkpoints differ from those of the other; nil if they do not.
  private var names: String? {
    let pairing = difference.pairing
    for (prefix, path) in [(pairing.firstPrefix, first), (pairing.secondPrefix, second)] where !prefix.bytes.isEmpty {
      return printable("\(path): its names begin with \(prefix), which is left out here")
    }
    return nil
  }

  private func remark(_ figures: DifferenceFigures, _ matrixCount: Int) -> String {
    switch figures.isFinite {
    case (true, true): matrixCount > 1 ? "the largest rank of \(matrixCount) matrices" : ""
    case (false, true): printable("NaN or infinity in \(first)")
    case (true, false): printable("NaN or infinity in \(second)")
    case (false, false): "NaN or infinity in both"
    }
  }

  private var footnote: String {
    switch rule {
    case .rounding: "rank: singular values of D above what rounding explains"
    case .tolerance(let tolerance): "rank: leaves at most \(formatNumber(tolerance)) |D|"
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
      "only_dtype_differs": .bool(difference.isOnlyOfType),
      "first_prefix": .string(difference.pairing.firstPrefix),
      "second_prefix": .string(difference.pairing.secondPrefix),
      "tensors": .array(
        difference.differences.map { tensor in
          var object = JSONObject()
          object["tensor"] = .string(tensor.name)
          switch tensor.change {
          case .added: object["change"] = "added"
          case .removed: object["change"] = "removed"
          case .retyped(let before, let after, let values):
            object["change"] = "retyped"
            object["values"] = JSON(values?.rawValue)
            object["before"] = JSON(describe(before))
            object["after"] = JSON(describe(after))
          case .bytes(let changed):
            object["change"] = "bytes"
            object["changed_bytes"] = .integer(changed)
          case .weights(let figures, let rank):
            object["change"] = "weights"
            object["changed_elements"] = .integer(figures.changedCount)
            object["elements"] = .integer(figures.elementCount)
            object["norm"] = JSON(figures.norm)
            object["relative_norm"] = JSON(figures.relativeNorm)
            object["maximum"] = JSON(figures.maximum)
            object["rounding_floor"] = JSON(figures.roundingFloor)
            object["finite_in_first"] = .bool(figures.isFinite.before)
            object["finite_in_second"] = .bool(figures.isFinite.after)
            object["matrices"] = .integer(tensor.matrixCount)
            object["rank"] = JSON(rank?.value)
            object["rank_is_lower_bound"] = JSON(rank?.isLowerBound)
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
struct DifferencePatchReport: Answer {
  let kind = "diff.patch"

  let path: String
  let patch: Patch
  let byteCount: Int
  let tensors: [DifferencePatch.TensorReport]
  /// What differs and is not in it, with the reasons.
  let leftOut: [(name: ByteString, reason: String)]
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
        printable(tensor.name.description), formatNumber(tensor.figures.relativeNorm), "\(tensor.rank)",
        tensor.factorType?.rawValue ?? "-", formatShare(share, digits: 3),
      ])
    }
    let notice = isExact ? [] : ["not exact: what low rank misses is not corrected"]
    let shown = leftOut.prefix(Self.leftOutLimit).map { printable("not in the patch: \($0.name): \($0.reason)") }
    let more = leftOut.count - shown.count
    return table.lines + notice + shown + (more > 0 ? ["… and \(more) more (--json lists all)"] : []) + [
      printable("\(path): patch \(patch.identifier.abbreviated), \(patch.extent), \(formatBytes(byteCount))")
    ]
  }

  private static let leftOutLimit = 20

  var json: JSON {
    [
      "output": JSON(path), "patch": JSON(patch.identifier), "bytes": .integer(byteCount),
      "different": true, "exact": .bool(isExact),
      "left_out": .array(leftOut.map { ["tensor": .string($0.name), "reason": JSON($0.reason)] }),
      "tensors": .array(
        tensors.map { tensor in
          [
            "tensor": .string(tensor.name), "relative_norm": JSON(tensor.figures.relativeNorm),
            "rank": .integer(tensor.rank), "factor_type": JSON(tensor.factorType?.rawValue),
            "corrected_elements": .integer(tensor.correctedCount), "elements": .integer(tensor.figures.elementCount),
            "missed": JSON(tensor.missed),
          ]
        }),
    ]
  }
}
