import Foundation
import Tensors
import ToolSupport
import WeightPatch

/// What `errata compact` says when it is done.
struct CompactionReport: Answer {
  let kind = "compact"

  /// The patch that was written.
  let patch: Patch
  let path: String
  let byteCount: Int
  /// The size of the patch that it was made from.
  let byteCountBefore: Int
  /// Whether only the compression is another.
  let isSameContent: Bool
  /// The policy that ERRATA_POLICY names.
  let policy: TrustPolicy?

  private var factCount: Int { patch.manifest.batches.reduce(0) { $0 + $1.facts.count } }

  private var tensors: [(batch: Int, factors: LowRankFactors, figures: Manifest.TensorFigures)] {
    patch.batches.enumerated().flatMap { index, batch in
      batch.tensors.map { factors in
        (index, factors, patch.manifest.batches[index].tensors[factors.name] ?? Manifest.TensorFigures())
      }
    }
  }
}

// MARK: - For people

extension CompactionReport {
  var lines: [String] { (isSameContent ? [] : table) + [summary] }

  private var table: [String] {
    var table = TextTable([
      ("batch", .right), ("tensor", .left), ("terms", .right), ("stored A B", .left), ("lost of D", .right),
      ("of facts", .right), ("worst fact", .right), ("of text", .right),
    ])
    for (batch, factors, figures) in tensors {
      let compaction = figures.compaction
      table.append([
        "\(batch)", printable(factors.name.description),
        "\(factors.rank)" + (compaction.map { " of \($0.terms)" } ?? ""), factors.storage, share(figures.deltaError),
        share(compaction?.factsError), share(compaction == nil ? figures.storageError : compaction?.worstFactError),
        share(compaction?.textError),
      ])
    }
    return table.lines
  }

  private var summary: String {
    let sizes = "\(formatBytes(byteCountBefore)) -> \(formatBytes(byteCount))"
    let each = factCount > 0 ? " (\(formatBytes(byteCount / factCount)) per fact)" : ""
    let origin =
      isSameContent
      ? "the same content" : patch.manifest.derivation.map { "from \($0.patch.abbreviated), \($0.change)" } ?? ""
    return "\(path): patch \(patch.identifier.abbreviated), \(patch.extent); \(origin); \(sizes)\(each)"
  }

  private func share(_ value: Double?) -> String { formatShare(value, digits: 2) }
}

// MARK: - For programs, and notices

extension CompactionReport {
  // Signatures stay with the content.
  var notices: [String] { isSameContent ? [] : policy.notes(onNewPatch: path) }

  var json: JSON {
    let derivation = isSameContent ? nil : patch.manifest.derivation
    return [
      "output": JSON(path), "patch": JSON(patch.identifier), "bytes": .integer(byteCount),
      "bytes_before": .integer(byteCountBefore),
      "bytes_per_fact": factCount > 0 ? .integer(byteCount / factCount) : .null, "same_content": .bool(isSameContent),
      "derived_from": JSON(derivation?.patch), "change": JSON(derivation?.change),
      "tensors": .array(
        tensors.map { batch, factors, figures in
          let compaction = figures.compaction
          return [
            "batch": .integer(batch), "tensor": .string(factors.name), "terms": .integer(factors.rank),
            "terms_before": .integer(compaction?.terms ?? factors.rank), "storage": JSON(factors.storage),
            "delta_error": JSON(figures.deltaError), "storage_error": JSON(figures.storageError),
            "weights_error": JSON(compaction?.weightsError), "text_error": JSON(compaction?.textError),
            "facts_error": JSON(compaction?.factsError), "worst_fact_error": JSON(compaction?.worstFactError),
          ]
        }),
    ]
  }
}
