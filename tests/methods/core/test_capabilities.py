from samplerbench.methods import CAPABILITIES, DENOISER, METHODS, RECIPES, get, get_recipe, unmet


def test_nothing_is_unmet_if_the_network_provides_all_that_is_required():
    assert unmet({"ode", "labels"}, {"labels", "ode", "variance"}, "flow") == ""
    assert unmet((), (), "flow") == ""


def test_missing_capabilities_are_named_in_one_sentence():
    assert unmet({"variance"}, DENOISER, "ddpm") == "it needs a predicted variance; ddpm does not provide that"
    assert unmet({"labels", "solver"}, DENOISER, "x") == (
        "it needs class labels and a learned solver; x does not provide that"
    )


def test_a_capability_of_a_plugin_appears_under_its_own_name():
    assert unmet({"jacobian"}, DENOISER, "flow") == "it needs jacobian; flow does not provide that"


def test_our_plugins_use_only_documented_capabilities():
    used = {name for recipe in RECIPES.names() for name in get_recipe(recipe).provides}
    used |= {name for method in METHODS.names() for name in get(method).requires}
    assert used <= CAPABILITIES.keys()
