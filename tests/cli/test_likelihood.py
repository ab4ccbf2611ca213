def test_the_table_shows_the_estimators_and_the_terms_of_the_bound(invoke):
    result = invoke("likelihood", "flow", "--images", "2", "--steps", "3", "--output", "bits")
    assert result.exit_code == 0, result.output
    heading, *rows, _, last = result.stdout.splitlines()
    assert heading.split() == "recipe images estimator bits/dim L_T sum L_t-1 L_0 NFE s/image".split()
    for row, start in zip(rows, ("held out ode", "held out bound", "training ode", "training bound"), strict=True):
        assert " ".join(row.split()).startswith(f"flow 2 {start} ")
        terms = 3 * ("bound" in row)
        assert len(row.split("±")[1].split()) == 1 + terms + 2, "the error, the terms of the bound, NFE and seconds"
    assert last == "Results: bits/likelihood.csv"
    assert result.stderr.splitlines()[-1] == "flow, training, bound: 8 of 8 images"
