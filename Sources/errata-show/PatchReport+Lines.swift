import Foundation
import Tensors
import ToolSupport
import WeightPatch

extension PatchReport {
  /// The report for people, one element a line.
  var lines: [String] {
    var lines = summary
    for (index, batch) in manifest.batches.enumerated() {
      lines.append("")
      lines += provenance(of: batch, index) + costs(of: index)
      lines += compaction(batches[index]) + missed(batch, batches[index]) + leftOut(batch)
      if !batch.facts.isEmpty { lines += [""] + facts(batch, batches[index]) }
      lines += [""] + tensors(batch, batches[index])
    }
    return lines
  }

  private var summary: [String] {
    let content = factCount > 0 ? counted(factCount, "fact") : extent
    var size = "\(printable(path)), \(formatBytes(byteCount)), \(content)"
    if let bytesPerFact { size += " (\(formatBytes(bytesPerFact)) per fact\(batchesDiffer ? " on average" : ""))" }
    var base = [manifest.base.name, manifest.base.architecture].compactMap(\.self).joined(separator: ", ")
    if let configuration = manifest.base.configuration { base += ", config.json \(configuration.abbreviated)" }
    if let tokenizer = manifest.base.tokenizer { base += ", tokenizer.json \(tokenizer.abbreviated)" }
    var lines = [
      field("patch", identifier?.description ?? "not checked: the header alone was read (--full reads everything)"),
      field("file", size),
      field("base", base.isEmpty ? "not named" : base),
      field("created", "\(manifest.created) by \(manifest.tool.name) \(manifest.tool.version)"),
    ]
    if let author = manifest.author { lines.append(field("author", author)) }
    if let licence = manifest.licence { lines.append(field("licence", licence)) }
    if let note = manifest.note { lines.append(field("note", note)) }
    lines += manifest.parents.map { field("parent", $0.patch.description) }
    if let derivation = manifest.derivation {
      let author = derivation.author.map { " by \($0)" } ?? ""
      lines.append(field("made from", "patch \(derivation.patch.abbreviated)\(author): \(derivation.change)"))
    }
    lines += manifest.sources.map { source in
      let author = source.author.map { " by \($0)" } ?? ""
      return field(
        "stacked", "patch \(source.patch.abbreviated)\(author), \(counted(source.batches.count, "batch", "batches"))")
    }
    lines += signatures.map { field("signature", $0.description) }
    return lines
  }

  private func provenance(of batch: Manifest.Batch, _ index: Int) -> [String] {
    let method = batch.method
    let slack = [
      batch.terms == .facts || method.lambda != 0
        ? "lambda \(method.lambdas == nil ? "" : "up to ")\(formatNumber(method.lambda))" : nil,
      method.alpha.map { "alpha \(formatNumber($0))" },
      method.secondMomentWeight.map { "w \(formatNumber($0))" },
      method.layers.isEmpty
        ? nil : "\(inflected(method.layers.count, "layer")) \(method.layers.map(String.init).joined(separator: ", "))",
    ].compactMap(\.self)
    let description = [method.name] + slack + ["digest \(batch.digest.abbreviated)"]
    var lines = [field("batch \(index)", description.joined(separator: ", "))]
    if batch.terms == .components { lines.append(field("", "its terms belong to no single fact")) }
    let settings = settings(method.hyperparameters)
    if !settings.isEmpty { lines.append(field("settings", settings.joined(separator: ", "))) }
    if let statistics = batch.statistics {
      let parts = [
        statistics.tokenCount.map { "\($0) tokens" }, statistics.corpus,
        statistics.digest.map { "digest \($0.abbreviated)" },
      ].compactMap(\.self)
      lines.append(field("statistics", parts.joined(separator: ", ")))
    }
    return lines + metric(batch) + adapter(batch)
  }

  /// What the batch holds, and what its M is if not C^-1.
  private func metric(_ batch: Manifest.Batch) -> [String] {
    guard let metric = batch.metric else { return [] }
    var lines: [String] = []
    if metric.kind != .secondMoments {
      let energy = metric.energy.map { ", at most \(share($0)) of text's energy" } ?? ""
      lines.append(field("metric", metric.kind.rawValue + energy))
    }
    let earlier = metric.held.filter { $0.batch != nil }
    if !earlier.isEmpty {
      let keys = earlier.reduce(0) { $0 + $1.keyCount }
      lines.append(
        field("holds", "\(counted(keys, "fact")) of \(counted(earlier.count, "earlier batch", "earlier batches"))"))
    }
    for held in metric.held where held.protected != nil {
      let weight = held.mu.largest > 0 ? "weight \(formatNumber(1 / held.mu.largest))" : "exactly"
      lines.append(
        field(
          "protects", "\(counted(held.keyCount, "subject")), \(weight), keys \(held.protected!.abbreviated)"))
    }
    return lines
  }

  /// The adapter that a batch was imported from, and what of it the batch does not hold.
  private func adapter(_ batch: Manifest.Batch) -> [String] {
    guard let adapter = batch.adapter else { return [] }
    let isOfAll = batch.tensors.values.allSatisfy { $0.scaling == nil }
    let parts = [
      adapter.name, "digest \(adapter.digest.abbreviated)", adapter.rank.map { "r \($0)" },
      adapter.alpha.map { "alpha \(formatNumber($0))\(adapter.isRankStabilized ? " / sqrt(r)" : "")" },
      "scale \(formatNumber(adapter.scaling))" + (isOfAll ? "" : ", not of all"),
    ].compactMap(\.self)
    let dropped = adapter.dropped.sorted { $0.key < $1.key }.map { "\($0.key) (\($0.value))" }
    return [field("adapter", parts.joined(separator: ", "))]
      + (dropped.isEmpty ? [] : [field("dropped", boundedList(dropped))])
  }

  /// Whether a fact of one batch takes more than one of another, as far as can be seen.
  private var batchesDiffer: Bool {
    Set(manifest.batches.indices.map { bytesPerFact(ofBatch: $0).map(formatBytes) }).count > 1
  }

  /// What the facts of a batch take, where those of another take more or less.
  private func costs(of index: Int) -> [String] {
    guard batchesDiffer else { return [] }
    let size = "\(formatBytes(batchByteCounts[index])) of tensors"
    let each = bytesPerFact(ofBatch: index).map { each in
      ", \(counted(manifest.batches[index].facts.count, "fact")) (\(formatBytes(each)) per fact)"
    }
    return [field("size", size + (each ?? ""))]
  }

  /// What a smaller rank cost each tensor.
  private func compaction(_ figures: BatchFigures) -> [String] {
    figures.tensors.compactMap { tensor in
      guard let compaction = tensor.recorded?.compaction else { return nil }
      let lost = [
        compaction.factsError.map { "\(share($0)) of facts" },
        compaction.worstFactError.map { "\(share($0)) of the worst" },
        compaction.textError.map { "\(share($0)) of text" },
        "\(share(compaction.weightsError)) of D",
      ].compactMap(\.self)
      return field(
        "compacted",
        "\(tensor.name): \(tensor.rank) of \(compaction.terms) terms, by \(compaction.norm), without "
          + lost.joined(separator: ", "))
    }
  }

  /// What a difference without corrections leaves undone.
  private func missed(_ batch: Manifest.Batch, _ figures: BatchFigures) -> [String] {
    guard batch.method.name == Manifest.Method.lowRankDifference else { return [] }
    return figures.tensors.compactMap { tensor in
      tensor.recorded?.deltaError.map { field("not exact", "\(tensor.name): without \(share($0)) of D") }
    }
  }

  /// What a difference does not hold: the tensors of each reason.
  private func leftOut(_ batch: Manifest.Batch) -> [String] {
    Dictionary(grouping: batch.leftOut.keys.sorted()) { batch.leftOut[$0]! }.sorted { $0.key < $1.key }.map {
      reason, names in
      field("left out", "\(boundedList(names.map(\.description), most: 6)): \(reason)")
    }
  }

  private func settings(_ settings: Manifest.Hyperparameters) -> [String] {
    [
      settings.learningRate.map { "learning rate \(formatNumber($0))" }, settings.steps.map { "at most \($0) steps" },
      settings.clampNormFactor.map { "clamp \(formatNumber($0))" },
      settings.weightDecay.map { "weight decay \(formatNumber($0))" },
      settings.klFactor.map { "KL \(formatNumber($0))" },
      settings.stopLoss.map { "stop below \(formatNumber($0))" },
      settings.templates.map { counted($0.count, "template") },
      settings.keyForm.map { "key: \($0)" }, settings.lossLayer.map { "loss layer \($0)" },
      settings.ridge.map { "ridge \(formatNumber($0))" }, settings.seed.map { "seed \($0)" },
    ].compactMap(\.self)
  }

  private func facts(_ batch: Manifest.Batch, _ figures: BatchFigures) -> [String] {
    let isDisturbed = figures.isDisturbed
    var table = TextTable(Manifest.Fact.columns + [("short", .right)] + (isDisturbed ? [("disturbed", .right)] : []))
    for (index, fact) in batch.facts.enumerated() {
      // Without a step there was nothing to reach, and a share of nothing says nothing.
      let short = fact.outcome?.steps == 0 ? "nothing to do" : share(figures.shortfall(ofFact: index))
      table.append(
        fact.cells(isElided: true) + [short] + (isDisturbed ? [share(figures.disturbance(ofFact: index))] : []))
    }
    return table.lines
      + (figures.hasUnknownDisturbance
        ? ["what the components beside these facts do to them takes keys: 'errata stack' says it with --stats"] : [])
  }

  private func tensors(_ batch: Manifest.Batch, _ figures: BatchFigures) -> [String] {
    var table = TextTable([
      ("tensor", .left), ("|D|", .right), ("|D|/|W|", .right), ("preservation", .right), ("of output", .right),
      ("short", .right), ("stored A B", .left), ("storage error", .right),
    ])
    for tensor in figures.tensors {
      let recorded = tensor.recorded
      table.append([
        printable(tensor.name.description), formatNumber(tensor.deltaNorm),
        formatNumber(ratio(tensor.deltaNorm, recorded?.weightNorm)), bound(tensor, formatNumber(tensor.preservation)),
        bound(tensor, share(ratio(tensor.preservation, recorded?.outputPower))), share(tensor.worstMemorization),
        tensor.storage, formatNumber(recorded?.storageError),
      ])
    }
    let hasBounds = figures.tensors.contains { $0.isUpperBound && $0.preservation != nil }
    return table.lines + (hasBounds ? [upperBoundNote] : [])
  }

  private func bound(_ tensor: BatchFigures.Tensor, _ text: String) -> String {
    tensor.isUpperBound && text != "-" ? "<= " + text : text
  }

  // MARK: Words and numbers

  private func field(_ name: String, _ value: String) -> String {
    name.padding(toLength: 12, withPad: " ", startingAt: 0) + printable(value)
  }

  private func ratio(_ value: Double?, _ whole: Double?) -> Double? {
    guard let value, let whole, whole > 0 else { return nil }
    return value / whole
  }

  /// A share that may be very small, to two digits.
  private func share(_ value: Double?) -> String { formatShare(value, digits: 2) }
}
