import Tensors
import TestSupport
import Testing
import Transformer

@testable import KnowledgeEditing

@Suite struct HyperparameterFileTests {
  private let directory: TemporaryDirectory
  private let architecture: Architecture

  init() throws {
    directory = try TemporaryDirectory()
    architecture = try KnowledgeEditingTests.architecture([
      "model_type": "llama", "num_hidden_layers": 32, "hidden_size": 4096, "intermediate_size": 11008,
      "num_attention_heads": 32, "vocab_size": 32000, "hidden_act": "silu",
    ])
  }

  private func read(_ text: String) throws -> HyperparameterFile {
    try directory.write(text, to: "hparams")
    return try HyperparameterFile(contentsOf: directory("hparams"))
  }

  private func apply(_ text: String, method: EditMethod = .memit) throws -> (EditSettings, notices: [String]) {
    let file = try read(text)
    var settings = EditSettings(method: file.method ?? method, layers: [9])
    let notices = try file.apply(to: &settings, for: architecture)
    return (settings, notices.map { $0.replacing(file.path, with: "FILE") })
  }

  private func message(_ text: String) -> String? {
    do {
      _ = try apply(text)
      return nil
    } catch let error as ErrataError {
      #expect(error.kind == .usage)
      return error.message.replacing(directory("hparams"), with: "FILE")
    } catch {
      return "\(error)"
    }
  }

  @Test func jsonOfTheReferences() throws {
    let (settings, notices) = try apply(
      """
      {"layers": [3, 4, 5], "clamp_norm_factor": 0.75, "layer_selection": "all", "fact_token": "subject_last",
       "v_num_grad_steps": 20, "v_lr": 5e-1, "v_loss_layer": 31, "v_weight_decay": 0.5, "kl_factor": 0.125,
       "mom2_adjustment": true, "mom2_update_weight": 15000, "rewrite_module_tmp": "model.layers.{}.mlp.down_proj",
       "layer_module_tmp": "model.layers.{}", "mom2_dataset": "wikipedia"}
      """)
    var expected = EditSettings(
      method: .memit, layers: [3, 4, 5], learningRate: 0.5, steps: 20, clampNormFactor: 0.75, weightDecay: 0.5,
      klFactor: 0.125, secondMomentWeight: 15000)
    #expect(settings == expected)
    #expect(notices == ["FILE: without effect here: layer_module_tmp, mom2_dataset"])

    let emmet = try apply(
      #"{"layers": [5], "mom2_update_weight": 1, "emmet_lambda": 0.2, "update_norm_lambda": 0, "prob_cutoff": 0, "norm_control": 0}"#
    )
    expected = EditSettings(method: .emmet, layers: [5], secondMomentWeight: 1, alpha: 0.2)
    #expect(emmet.0 == expected)
    #expect(emmet.notices == [])

    let rome = try apply(
      #"{"v_lr": 0.1, "context_template_length_params": [[5, 10], [10, 10]], "bias_update": false, "dynamic": false}"#)
    #expect(rome.0 == EditSettings(method: .rome, layers: [9], learningRate: 0.1))
    #expect(rome.notices == [])
  }

  @Test func yamlOfEasyEdit() throws {
    let (settings, notices) = try apply(
      """
      ---
      alg_name: "ROME"   # the method
      model_name: ./hugging_cache/llama-2-7b
      device: 0
      layers:
        - 5
      fact_token: 'subject_last'
      v_num_grad_steps: 25
      v_lr: 5e-1
      v_loss_layer: 31
      v_weight_decay: 1e-3

      clamp_norm_factor: 4
      kl_factor: 0.0625
      mom2_adjustment: False
      context_template_length_params: [[5, 10], [10, 10]]
      rewrite_module_tmp: "model.layers.{}.mlp.down_proj"
      fp16: true
      #alg_name: "MEMIT"
      """)
    #expect(settings == EditSettings(method: .rome, layers: [5], learningRate: 0.5, steps: 25, weightDecay: 1e-3))
    #expect(
      notices == [
        "FILE: 'mom2_adjustment' is false, but second moments are always used",
        "FILE: without effect here: model_name, device, fp16",
      ])
  }

  @Test func theMethodOfAFile() throws {
    for (text, method) in [
      ("alg_name: R-ROME", EditMethod.rome), ("\u{FEFF}alg_name: r-rome", .rome),
      ("\u{FEFF}{\"alg_name\": \"ROME\"}", .rome),
      ("alg_name: EMMET", .emmet), (#"{"alg_name": "MEMIT", "emmet_lambda": 1}"#, .memit),
      ("emmet_lambda: 0.1", .emmet), ("mom2_update_weight: 1", .memit),
      ("context_template_length_params: [[5, 10]]", .rome), ("layers: [1]", nil),
    ] as [(String, EditMethod?)] {
      #expect(try read(text).method == method, "\(text)")
    }
  }

  /// What is missing, or null, stays as it was.
  @Test func whatIsNotSaidStays() throws {
    #expect(
      try apply("v_lr: 0.25\nlayers: ~\nkl_factor:\n").0
        == EditSettings(method: .memit, layers: [9], learningRate: 0.25))
    #expect(
      try apply("context_template_length_params: [[5, 10]]").notices == [
        "FILE: 'context_template_length_params' is not used: templates are 10 of 5 and 10 of 10 tokens, or give "
          + "--templates"
      ])
    #expect(
      try apply("alg_name: MEMIT\ncontext_template_length_params: [[5, 10], [10, 10]]").notices == [
        "FILE: 'context_template_length_params' is not used by memit, or give --templates"
      ])
  }

  @Test(arguments: [
    ("alg_name: GRACE\niter: 3", "FILE: 'alg_name' is 'GRACE'; Errata does ROME, MEMIT and EMMET"),
    (
      "alg_name: AlphaEdit\nlayers: [4, 5]\nnullspace_threshold: 2e-2\nL2: 10",
      "FILE: 'alg_name' is 'AlphaEdit'; Errata does ROME, MEMIT and EMMET; instead of it, use MEMIT, with "
        + "--batch-size for one batch of facts after the other: --method memit --layers 4,5, without this file"
    ),
    (
      "nullspace_threshold: 0.02\nL2: 10",
      "FILE: 'nullspace_threshold', 'L2' are not settings of ROME, MEMIT or EMMET; remove them"
    ),
    ("layers: [\"5", "FILE: line 1: a quotation mark is not closed"),
    ("{\"layers\": [1}", "FILE: not valid JSON at byte 13: ',' or ']' is expected"),
    ("alg_name: 3", "FILE: 'alg_name' is a number; Errata does ROME, MEMIT and EMMET"),
    ("nullspace_threshold: 0.02", "FILE: 'nullspace_threshold' is not a setting of ROME, MEMIT or EMMET; remove it"),
    ("layers: 5", "FILE: 'layers' must be a list of layers, found a number"),
    ("layers: []", "FILE: 'layers' must be a list of layers, found an array"),
    ("layers: [1, x]", "FILE: 'layers' must be a list of layers, found an array"),
    ("layer_selection: random", "FILE: 'layer_selection' is 'random', but only 'all' is supported"),
    ("fact_token: last", "FILE: 'fact_token' is 'last', but only 'subject_last' is supported"),
    ("fact_token: 1", "FILE: 'fact_token' is a number, but only 'subject_last' is supported"),
    ("v_loss_layer: 30", "FILE: 'v_loss_layer' is 30, but the loss is read at the model's last layer, 31"),
    ("v_loss_layer: x", "FILE: 'v_loss_layer' must be an integer, found a string"),
    ("v_lr: 0", "FILE: 'v_lr' must be positive, found 0.0"),
    ("v_lr: -1", "FILE: 'v_lr' must be zero or a positive number, found -1.0"),
    ("kl_factor: high", "FILE: 'kl_factor' must be zero or a positive number, found a string"),
    ("v_num_grad_steps: 0", "FILE: 'v_num_grad_steps' must be positive, found 0"),
    ("v_num_grad_steps: 2.5", "FILE: 'v_num_grad_steps' must be an integer, found a number"),
    ("norm_control: 1", "FILE: 'norm_control' is not supported with any value but 0"),
    ("bias_update: true", "FILE: 'bias_update' is not supported with any value but false"),
    ("mom2_adjustment: 1", "FILE: 'mom2_adjustment' must be true or false, found a number"),
    (
      "rewrite_module_tmp: transformer.h.{}.mlp.fc_out",
      "FILE: 'rewrite_module_tmp' is 'transformer.h.{}.mlp.fc_out', but this model's edited map is "
        + "'model.layers.0.mlp.down_proj' (layer 0)"
    ),
    ("rewrite_module_tmp: 4", "FILE: 'rewrite_module_tmp' must be a string, found a number"),
    ("", "FILE: holds no fields"),
    ("# nothing", "FILE: holds no fields"),
    ("layers", "FILE: line 1: is not 'key: value'"),
    ("v_lr:0.5", "FILE: line 1: is not 'key: value'"),
    ("v_lr: 1\nv_lr: 2", "FILE: line 2: 'v_lr' stands twice"),
    ("- 5", "FILE: line 1: a list item belongs to no key"),
    ("v_lr: 1\n- 5", "FILE: line 2: a list item belongs to no key"),
    ("model:\n  layers: [5]", "FILE: line 2: nested mappings are not supported"),
    ("layers: [5", "FILE: line 1: the list does not end"),
    ("layers: [5] 6", "FILE: line 1: something follows the list"),
    ("layers: {a: 1}", "FILE: line 1: '{a: 1}' is not a scalar or a list"),
    ("layers: &x 1", "FILE: line 1: '&x 1' is not a scalar or a list"),
  ]) func refusals(text: String, expected: String) {
    #expect(message(text) == expected)
  }

  @Test func notText() throws {
    try AtomicFile.write([0xFF, 0xFE, 0x41], to: directory("hparams"))
    let error = ErrataError(.usage, "\(directory("hparams")): is neither JSON nor YAML in UTF-8")
    #expect(throws: error) { try HyperparameterFile(contentsOf: directory("hparams")) }
  }

  @Test func limits() throws {
    func expectDamaged(_ text: String, _ problem: String) {
      #expect(throws: ErrataError(.damagedInput, "\(directory("hparams")): \(problem)")) { try read(text) }
    }
    func nested(_ depth: Int) -> String {
      "layers: " + String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
    }
    _ = try read(nested(64))
    expectDamaged(nested(65), "line 1: lists nested more than 64 levels deep")
    expectDamaged(
      "v_lr: 1\nlayers:\n- " + String(repeating: "[", count: 100_000), "line 3: lists nested more than 64 levels deep")
    // In JSON the object is a level too.
    func inJSON(_ depth: Int) -> String { "{\"" + nested(depth).replacing(":", with: "\":") + "}" }
    _ = try read(inJSON(63))
    expectDamaged(inJSON(64), "not valid JSON at byte 74: nested more than 64 levels deep")
    _ = try read("v_lr: 1 #" + String(repeating: "x", count: 1 << 20 - 9))
    expectDamaged(
      "v_lr: 1 #" + String(repeating: "x", count: 1 << 20 - 8), "is longer than 1 MiB, more than settings can be")
  }

  @Test func quotedItems() throws {
    #expect(
      message("layer_selection: [\"a, b\", 'c]']")
        == "FILE: 'layer_selection' is an array, but only 'all' is supported")
  }
}
