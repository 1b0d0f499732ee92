import Facts
import Foundation
import KnowledgeEditing
import Tensors
import ToolSupport
import Transformer
import WeightPatch

/// What `errata trace` says about one prompt.
struct TraceReport: Answer {
  let kind = "trace"

  /// A fact, or a whole batch, in one layer.
  struct Row {
    let batch: TracedBatch
    let layer: Int
    /// Nil for a whole batch.
    let fact: Manifest.Fact?
    /// Per token.
    let strengths: [Double]
    /// The token where it is strongest.
    let token: Int

    init(_ batch: TracedBatch, layer: Int, fact: Manifest.Fact?, strengths: [Double]) {
      self.batch = batch
      self.layer = layer
      self.fact = fact
      self.strengths = strengths
      token = strengths.indices.max { strengths[$0] < strengths[$1] } ?? 0
    }

    var strength: Double { strengths[token] }
  }

  let prompt: String
  let tokens: [Int32]
  /// The facts, and the batches that have none, the strongest first.
  let terms: [Row]
  /// Every batch as a whole, by layer.
  let batches: [Row]
  /// Of the token after the prompt, with the patches, and without them if that is known.
  let next: (patched: TokenDistribution, unpatched: TokenDistribution?)
  let tokenization: PromptTokenization
  /// How many facts are listed at most, and from which strength on.
  let top: Int
  let threshold: Double

  init(
    _ trace: PromptTrace, batches: [TracedBatch], tokenization: PromptTokenization, top: Int, threshold: Double
  ) {
    self.top = top
    self.threshold = threshold
    prompt = trace.prompt
    tokens = trace.tokens
    self.tokenization = tokenization
    next = (trace.next, trace.nextWithout)
    self.batches = trace.firings.map {
      Row(batches[$0.batch], layer: $0.layer, fact: nil, strengths: $0.total)
    }
    let terms = zip(trace.firings, self.batches).flatMap { firing, whole in
      let batch = whole.batch
      guard batch.description.terms == .facts else { return [whole] }
      return batch.description.facts.enumerated().map { index, fact in
        Row(batch, layer: firing.layer, fact: fact, strengths: firing.terms.row(index))
      }
    }
    // Equal strengths stay in the order of layers, batches and facts.
    self.terms = terms.enumerated().sorted {
      ($1.element.strength, $0.offset) < ($0.element.strength, $1.offset)
    }.map(\.element)
  }

  private var listed: [Row] { Array(terms.prefix { $0.strength >= threshold }.prefix(top)) }

  // MARK: For people

  var lines: [String] {
    let rows = listed
    var lines = [answer, strongestPerToken, ""]
    if rows.isEmpty {
      lines.append(
        "nothing fires with \(formatPercent(threshold)) or more (at most \(formatPercent(terms.first?.strength ?? 0)))")
    } else {
      lines += termTable(rows)
      if rows.count < terms.count { lines.append("… and \(terms.count - rows.count) weaker (--top, --threshold)") }
    }
    return lines + [""] + batchTable
  }

  private var answer: String {
    let patched = next.patched.mostLikely(1)[0]
    func text(_ token: Int, _ distribution: TokenDistribution) -> String {
      "\(shown(Int32(token))) \(formatPercent(probability(token, distribution)))"
    }
    let answer = "\(printable(prompt)) -> \(text(patched, next.patched))"
    guard let without = next.unpatched else { return answer }
    let unpatched = without.mostLikely(1)[0]
    let answers = (unpatched == patched ? [patched] : [unpatched, patched]).map { text($0, without) }
    return "\(answer); without the patches \(answers.joined(separator: ", "))"
  }

  /// Each token with the strength of what fires most strongly there, on one line.
  private var strongestPerToken: String {
    "  "
      + tokens.indices.map { token in
        "\(shown(tokens[token])) \(formatPercent(terms.map { $0.strengths[token] }.max() ?? 0))"
      }.joined(separator: " | ")
  }

  private func termTable(_ rows: [Row]) -> [String] {
    var table = TextTable([
      ("strength", .right), ("fact", .left), ("subject", .left), ("new target", .left), ("patch", .left),
      ("layer", .right), ("token", .left),
    ])
    for row in rows {
      table.append([
        formatPercent(row.strength), row.fact?.identifier ?? "-",
        row.fact.map { elide(printable($0.subject), to: 32) } ?? "(batch \(row.batch.index))",
        row.fact.map { elide(printable($0.targetNew), to: 24) } ?? "(\(row.batch.extent))",
        printable(row.batch.patchName), "\(row.layer)", place(row.token),
      ])
    }
    return table.lines
  }

  private var batchTable: [String] {
    var table = TextTable([
      ("strength", .right), ("whole batch", .left), ("patch", .left), ("layer", .right), ("token", .left),
    ])
    for row in batches {
      table.append([
        formatPercent(row.strength), "\(row.batch.index): \(row.batch.extent)", printable(row.batch.patchName),
        "\(row.layer)",
        place(row.token),
      ])
    }
    return table.lines
  }

  private func place(_ token: Int) -> String { "\(token) \(shown(tokens[token]))" }

  private func shown(_ token: Int32) -> String {
    let text = tokenization.continuation([token])
    let trimmed = text.trimmingCharacters(in: .whitespaces)
    return printable((trimmed.isEmpty ? "\"\(text)\"" : trimmed).replacingOccurrences(of: "\n", with: "\\n"))
  }

  private func probability(_ token: Int, _ distribution: TokenDistribution) -> Double {
    exp(distribution.logProbability(token))
  }

  // MARK: For programs

  var json: JSON {
    func prediction(_ distribution: TokenDistribution) -> JSON {
      let token = distribution.mostLikely(1)[0]
      return [
        "id": .integer(token), "text": JSON(tokenization.continuation([Int32(token)])),
        "probability": .double(probability(token, next.patched)),
        "probability_without": JSON(next.unpatched.map { probability(token, $0) }),
      ]
    }
    return [
      "prompt": JSON(prompt), "next": prediction(next.patched), "next_without": next.unpatched.map(prediction) ?? .null,
      "tokens": .array(
        tokens.enumerated().map { position, token in
          let strongest = terms.max { $0.strengths[position] < $1.strengths[position] }
          return [
            "id": .integer(Int(token)), "text": JSON(tokenization.continuation([token])),
            "strongest": JSON(strongest.map { $0.strengths[position] }),
            "fact": JSON(strongest?.fact?.identifier),
          ]
        }),
      "threshold": .double(threshold), "fired": .array(listed.map { self.json($0) }),
      "batches": .array(batches.map { self.json($0) }),
    ]
  }

  private func json(_ row: Row) -> JSON {
    var object = row.batch.json.objectValue!
    if let fact = row.fact {
      object["fact"] = JSON(fact.identifier)
      object["subject"] = JSON(fact.subject)
      object["target_new"] = JSON(fact.targetNew)
    }
    object["layer"] = .integer(row.layer)
    object["position"] = .integer(row.token)
    object["strength"] = .double(row.strength)
    object["strengths"] = .array(row.strengths.map { .double($0) })
    return .object(object)
  }
}

extension TracedBatch {
  /// For people: `10 facts`.
  fileprivate var extent: String { counted(termCount, description.terms == .facts ? "fact" : "component") }

  fileprivate var json: JSON {
    [
      "patch": JSON(patch), "patch_name": JSON(patchName), "batch": .integer(index),
      "digest": JSON(description.digest), "terms": JSON(description.terms.rawValue),
    ]
  }
}
