import ArgumentParser
import EditEvaluation
import Foundation
import KnowledgeEditing
import PatchAlgebra
import Safetensors
import Tensors
import ToolSupport
import WeightPatch

@testable import Facts

/// What is common to the parts that work on facts.
struct FactOptions: ParsableArguments {
  @Argument(help: "The checkpoint's directory.")
  var model: String

  @Option(help: "A facts file.")
  var facts: String

  @Option(help: "Which records of it, like 0-9.")
  var records: String

  @Option(help: "A JSON array of context templates.")
  var templates: String

  @Option(help: "The layer.")
  var layer: Int

  @Option(name: [.short, .long], help: "A safetensors file for the numbers that were found.")
  var output: String

  /// A model, its facts, and each fact's prompts: read before anything is timed.
  func read() throws -> (model: LanguageModel, facts: [Manifest.Fact], prompts: [[TokenizedPrompt]]) {
    let model = try LanguageModel(path: model)
    let facts = try FactRecord.read(facts, selection: records).map(\.fact)
    let templates = try ContextTemplates(JSON.parse(contentsOf: templates).arrayValue?.compactMap(\.stringValue) ?? [])
    let tokenization = PromptTokenization(model.tokenizer)
    return (
      model, facts,
      try facts.map { fact in try templates.templates.map { try tokenization.prompt(fact, template: $0) } }
    )
  }

  func write(_ matrix: Matrix<Float>) throws {
    let writer = try SafetensorsWriter(
      path: output, tensors: [TensorDeclaration(name: "rows", dtype: .f32, shape: [matrix.rows, matrix.columns])])
    try matrix.withUnsafePointer {
      try writer.write(UnsafeRawBufferPointer(UnsafeBufferPointer(start: $0, count: matrix.count)), of: "rows")
    }
    try writer.commit()
  }
}

struct SearchValues: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "values", abstract: "Searches the values of some facts, all of them together.")

  @OptionGroup var options: FactOptions

  @Option(help: "The most losses that a search evaluates.")
  var steps = 25

  func run() throws {
    let (model, facts, prompts) = try options.read()
    let tokenization = PromptTokenization(model.tokenizer)
    let problems = try zip(facts, prompts).map { fact, prompts in
      ValueProblem(
        label: fact.identifier, prompts: prompts, target: try tokenization.target(fact),
        essence: try tokenization.essence(fact))
    }
    let search = ValueSearch(
      model.decoder, layer: options.layer, site: .blockOutput,
      settings: EditSettings(method: .emmet, layers: [options.layer], steps: steps))
    var found: [FoundValue]?
    Profile.start()
    let seconds = try seconds { found = try search.search(problems) }
    let phases = Profile.phases()
    func sum(_ name: String, depth: Int) -> (seconds: Double, operations: Double) {
      phases.filter { $0.name == name && $0.depth == depth }
        .reduce((0, 0)) { ($0.0 + $1.seconds, $0.1 + $1.operations) }
    }
    let values = found!
    try options.write(
      Matrix(rows: values.count, columns: values[0].value.count, elements: values.flatMap(\.value)))
    printJSON([
      "seconds": .double(seconds), "seconds_of_steps": .double(sum("steps", depth: 0).seconds),
      "operations": .double(phases.filter { $0.depth == 0 }.reduce(0) { $0 + $1.operations }),
      "operations_of_steps": .double(sum("steps", depth: 0).operations),
      "losses": .array(values.map { .array($0.steps.map { .double($0.loss) }) }),
    ])
  }
}

struct MeasureKeys: ParsableCommand {
  static let configuration = CommandConfiguration(commandName: "keys", abstract: "Measures the keys of some facts.")

  @OptionGroup var options: FactOptions

  func run() throws {
    let (model, _, prompts) = try options.read()
    let measurement = KeyMeasurement(model.decoder)
    var keys: [[Double]] = []
    Profile.start()
    let seconds = try seconds {
      keys = try measurement.keys(prompts, layer: options.layer).map(KeyForm.meanOfGroupMeans.combine)
    }
    try options.write(Matrix(rows: keys.count, columns: keys[0].count, elements: keys.flatMap { $0 }.map(Float.init)))
    printJSON([
      "seconds": .double(seconds),
      "operations": .double(Profile.phases().filter { $0.depth == 0 }.reduce(0) { $0 + $1.operations }),
    ])
  }
}
