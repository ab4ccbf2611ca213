"""The solvers against diffusers' schedulers, and against each other where two are the same.

Where diffusers differs by a defect, the test says which, and compares with the formula that it means.
"""

from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from math import pi

import diffusers
import pytest
import torch

from samplerbench.methods import VE, VP, DiscreteVP, Field, Linear, Path, SpecError, get, get_recipe, sample
from samplerbench.methods.core.multistep_weights import lambda_weights

close = partial(torch.testing.assert_close, rtol=2e-5, atol=5e-5)
PATH = DiscreteVP()
BETAS = {"beta_start": 1e-4, "beta_end": 0.02}  # DDPM's; some schedulers have others for their default
TRAILING = {"timestep_spacing": "trailing"}
STEPS = [1, 3, 20]


@pytest.fixture
def x():
    return torch.randn(4, 1, 8, 8, generator=torch.Generator().manual_seed(0))


def noise():
    generator = torch.Generator().manual_seed(1)
    return lambda x: torch.randn(x.shape, generator=generator, dtype=x.dtype)


def compare(spec, scheduler, net, x, steps, last=True, exploding=False, stages=1, **options):
    """Compare all states (but the last, if not `last`) with a scheduler's, whose timestep i is our (i + 1) / 1000.

    exploding: the scheduler's state is x / alpha. stages: its calls in a step, but for the last step's one.
    """
    scheduler.set_timesteps(steps)
    times = torch.cat(((scheduler.timesteps[::stages].double() + 1) / 1000, torch.zeros(1)))
    scale = [m.alpha if exploding else 1.0 for m in PATH.along(times)]
    ours = list(get(spec).steps(Field(net, PATH, "eps"), x, times, noise()))

    state, expected = x / scale[0], []
    for timestep in scheduler.timesteps:
        t = ((timestep + 1) / 1000).to(x.dtype).expand(len(x))
        seen = scheduler.scale_model_input(state, timestep) if exploding else state
        state = scheduler.step(net(seen, t), timestep, state, return_dict=False, **options)[0]
        expected.append(state)
    expected = [*expected[stages - 1 : -1 : stages], expected[-1]]
    for a, b, alpha in list(zip(ours, expected, scale[1:], strict=True))[: None if last else -1]:
        close(a, b * alpha)


@pytest.mark.parametrize("steps", STEPS)
@pytest.mark.parametrize("kind", ["midpoint", "heun"])
@pytest.mark.parametrize("sde", ["", "_sde"])
def test_dpmpp_2m_is_diffusers(small_net, x, steps, kind, sde):
    algorithm = ("sde-" if sde else "") + "dpmsolver++"
    scheduler = diffusers.DPMSolverMultistepScheduler(algorithm_type=algorithm, solver_type=kind, **TRAILING)
    options = {"generator": torch.Generator().manual_seed(1)} if sde else {}
    compare(f"dpmpp_2m{sde}[kind={kind}]", scheduler, small_net, x, steps, **options)


class ThirdOrder(diffusers.DPMSolverMultistepScheduler):
    """diffusers' third-order update takes phi_3 D_2 for 2 phi_3 D_2, and in its SDE has the wrong sign before 1/2."""

    def multistep_dpm_solver_third_order_update(self, outputs, sample=None, noise=None):
        published = super().multistep_dpm_solver_third_order_update(outputs, sample=sample, noise=noise)
        i, sde = self.step_index, self.config.algorithm_type == "sde-dpmsolver++"
        s2, s1, s0, t = (-self.sigmas[i - 2 : i + 2].double().log()).tolist()  # lambda is -log(sigma / alpha)
        h, m0, m1, m2 = t - s0, *outputs[::-1]
        curvature = ((m0 - m1) / (s0 - s1) - (m1 - m2) / (s1 - s2)) * h**2 / (s0 - s2)  # D_2
        g = torch.tensor(2 * h if sde else h, dtype=torch.float64)
        meant = 2 * (0.5 - (g - 1 + (-g).exp()) / g**2)
        taken = meant / 2 - (1 if sde else 0)
        alpha = 1 / (1 + self.sigmas[i + 1] ** 2).sqrt()
        return published + alpha * (meant - taken).to(published.dtype) * curvature


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 14, 15])
@pytest.mark.parametrize("sde", ["", "_sde"])
def test_dpmpp_3m_is_diffusers_with_the_right_curvature(small_net, x, steps, sde):
    scheduler = ThirdOrder(algorithm_type=("sde-" if sde else "") + "dpmsolver++", solver_order=3, **TRAILING)
    options = {"generator": torch.Generator().manual_seed(1)} if sde else {}
    compare(f"dpmpp_3m{sde}", scheduler, small_net, x, steps, **options)


@pytest.mark.parametrize("steps", STEPS)
@pytest.mark.parametrize("order", [1, 2, 3, 4])
@pytest.mark.parametrize("variant", ["bh1", "bh2"])
@pytest.mark.parametrize("corrector", [True, False])
def test_unipc_is_diffusers(small_net, x, steps, order, variant, corrector):
    scheduler = diffusers.UniPCMultistepScheduler(
        solver_order=order, solver_type=variant, final_sigmas_type="zero",
        disable_corrector=[] if corrector else list(range(steps)), **TRAILING,
    )  # fmt: skip
    spec = f"unipc[order={order},variant={variant},corrector={str(corrector).lower()}]"
    # Its bh1 multiplies B = -inf by 0 on the last step, and returns nan.
    compare(spec, scheduler, small_net, x, steps, last=variant == "bh2")


@pytest.mark.parametrize("steps", [2, 5, 20])
@pytest.mark.parametrize("order", [1, 2, 3])
def test_deis_is_diffusers(small_net, x, steps, order):
    scheduler = diffusers.DEISMultistepScheduler(solver_order=order, lower_order_final=False, **TRAILING)
    # In float32 its integrals of log(rho) cancel to 1e-3, hence float64. It ends at timestep 0, and not at data.
    compare_exactly(f"deis[order={order},space=log_rho]", scheduler, small_net, x, steps)


@pytest.mark.parametrize("steps", [2, 5, 20])
@pytest.mark.parametrize(("order", "corrector"), [(1, 1), (2, 2), (3, 3), (3, 4), (4, 4)])
@pytest.mark.parametrize("tau", [0.0, 1.0])
def test_sa_solver_is_diffusers(small_net, x, steps, order, corrector, tau):
    scheduler = diffusers.SASolverScheduler(
        predictor_order=order, corrector_order=corrector, tau_func=lambda t: tau, **TRAILING
    )
    # Here too float32 cancels, to 1e-2 at order 4; and it ends at timestep 0.
    spec = f"sa_solver[order={order},corrector={corrector},tau={tau}]"
    compare_exactly(spec, scheduler, small_net, x, steps, generator=torch.Generator().manual_seed(1))


def compare_exactly(spec, scheduler, net, x, steps, **options):
    """All states but the last, with the scheduler's noise levels, and so its arithmetic, in float64."""
    set_timesteps = scheduler.set_timesteps

    def in_double(steps):
        set_timesteps(steps)
        abar = (1 - torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64)).cumprod(0)[scheduler.timesteps]
        scheduler.sigmas = torch.cat((((1 - abar) / abar).sqrt(), scheduler.sigmas[-1:].double()))

    scheduler.set_timesteps = in_double
    compare(spec, scheduler, net.double(), x.double(), steps, last=False, **options)
    net.float()


@pytest.mark.parametrize("steps", STEPS)
@pytest.mark.parametrize(
    ("spec", "name"),
    [("euler", "EulerDiscrete"), ("heun", "HeunDiscrete"), ("lms", "LMSDiscrete"), ("dpm2", "KDPM2Discrete"),
     ("euler_ancestral", "EulerAncestralDiscrete")],
)  # fmt: skip
def test_solvers_in_edms_frame_are_diffusers(small_net, x, steps, spec, name):
    scheduler = getattr(diffusers, f"{name}Scheduler")(**BETAS, **TRAILING)
    options = {"generator": torch.Generator().manual_seed(1)} if spec == "euler_ancestral" else {}
    stages = 2 if spec in ("heun", "dpm2") else 1
    compare(spec, scheduler, small_net, x, steps, exploding=True, stages=stages, **options)


def test_churn_is_diffusers_for_a_network_that_sees_no_noise(x):
    # diffusers evaluates the network before it adds the churn, and at the level without it (EDM: after, at the raised
    # level). The two agree where that makes no difference, with a constant eps; the next test has EDM's order.
    eps = torch.randn(x.shape, generator=torch.Generator().manual_seed(2))
    options = {"s_churn": 3.0, "s_tmin": 0.5, "s_tmax": 50.0, "generator": torch.Generator().manual_seed(1)}
    scheduler = diffusers.EulerDiscreteScheduler(**BETAS, **TRAILING)
    compare("euler[churn=3,s_min=0.5,s_max=50]", scheduler, lambda x, t: eps, x, 10, exploding=True, **options)


@pytest.mark.parametrize("solver", ["euler", "heun"])
def test_churn_is_edms_algorithm_2(gaussian, solver):
    path, levels = VE(0.002, 80.0), torch.tensor([80.0, 30.0, 8.0, 2.0, 0.5, 0.1], dtype=torch.float64)
    times = torch.cat((path.time_at(-2 * levels.log()), torch.zeros(1)))
    denoise = lambda x, s: x - s * gaussian.field(path).net(x, path.time_at(torch.tensor([-2.0]) * s.log()))  # noqa: E731
    start = 80 * torch.randn(4, 1, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    options = "churn=2,s_min=0.3,s_max=50,s_noise=1.01"
    ours = list(get(f"{solver}[{options}]").steps(gaussian.field(path), start, times, noise()))

    x, z, levels = start, noise(), [*levels, torch.tensor(0.002, dtype=torch.float64)]
    for i, (s, s_next) in enumerate(pairwise(levels)):
        hat = s * (1 + (min(2 / 6, 2**0.5 - 1) if 0.3 <= s <= 50 else 0))
        x = x + (hat**2 - s**2).sqrt() * 1.01 * z(x) if hat > s else x
        d = (x - denoise(x, hat)) / hat
        euler = x + (s_next - hat) * d
        x = x + (s_next - hat) * (d + (euler - denoise(euler, s_next)) / s_next) / 2 if solver == "heun" else euler
        close(ours[i], x, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", ["EDMEuler", "EDMDPMSolverMultistep"])
@pytest.mark.parametrize("steps", [3, 20])
def test_edm_schedulers_are_ours_on_the_exploding_path(small_net, x, name, steps):
    scheduler = getattr(diffusers, f"{name}Scheduler")()
    scheduler.set_timesteps(steps)
    path = VE(1e-6, 80.0)  # sigma = 0 is none of its times

    def net(x, t):
        now = path.at(t)
        c_in, variance = 1 / (now.sigma**2 + 0.25).sqrt(), now.sigma**2 + 0.25
        return 0.25 / variance * x + 0.5 * now.sigma / variance.sqrt() * small_net(c_in * x, now.sigma.log() / 4)

    times = torch.cat((path.time_at(-2 * scheduler.sigmas[:-1].double().log()), torch.zeros(1)))
    ours = list(get("euler" if name == "EDMEuler" else "dpmpp_2m").steps(Field(net, path, "x0"), 80 * x, times, None))
    state = 80 * x
    for timestep, mine in list(zip(scheduler.timesteps, ours, strict=True))[:-1]:
        seen = scheduler.scale_model_input(state, timestep)
        state = scheduler.step(small_net(seen, timestep.expand(len(x))), timestep, state, return_dict=False)[0]
        close(mine, state, atol=1e-4)


@pytest.mark.parametrize("steps", [5, 20])
def test_pndm_is_diffusers(small_net, x, steps):
    scheduler = diffusers.PNDMScheduler(timestep_spacing="leading", set_alpha_to_one=True)
    scheduler.set_timesteps(steps)
    first, rest = scheduler.prk_timesteps[::4], scheduler.plms_timesteps
    times = torch.cat((torch.tensor([*first, *rest]).double() + 1, torch.zeros(1))) / 1000
    ours = list(get("pndm").steps(Field(small_net, PATH, "eps"), x, times, None))
    state, expected = x, []
    for timestep in scheduler.timesteps:
        state = scheduler.step(small_net(state, ((timestep + 1) / 1000).expand(4)), timestep, state, return_dict=False)[
            0
        ]
        expected.append(state)
    # The last interval of this grid, from timestep 1, is short; diffusers weighs it as if it were like the others.
    for a, b in list(zip(ours, [*expected[3:12:4], *expected[12:]], strict=True))[:-1]:
        close(a, b)


@dataclass(frozen=True)
class SquaredSine(Path):
    """The path of diffusers' iPNDM, on which its evenly spaced betas are even in t."""

    def coefficients(self, t):
        angle = t * pi / 2
        sigma = angle.sin() ** 2
        alpha = angle.cos() * (1 + sigma).sqrt()
        d_sigma = pi * angle.sin() * angle.cos()
        return alpha, sigma, -sigma * d_sigma / alpha, d_sigma


@pytest.mark.parametrize("steps", [3, 20])
def test_ipndm_is_diffusers(small_net, x, steps):
    scheduler = diffusers.IPNDMScheduler()
    scheduler.set_timesteps(steps)
    times = torch.linspace(1, 0, steps + 1, dtype=torch.float64)[1:]  # it divides by 1e-8 at t = 1, and forgets x0
    scheduler.set_begin_index(1)
    ours = list(get("ipndm").steps(Field(small_net, SquaredSine(), "v"), x, times, None))
    state, expected = x, []
    for t, timestep in zip(times, scheduler.timesteps[1:], strict=False):
        state = scheduler.step(small_net(state, t.float().expand(4)), timestep, state, return_dict=False)[0]
        expected.append(state)
    for a, b in zip(ours, expected, strict=True):
        close(a, b)


@pytest.mark.parametrize("spec", ["dpm2", "dpmpp_2s", "dpm3"])
def test_single_step_solvers_are_diffusers(small_net, x, spec):
    scheduler = diffusers.DPMSolverSinglestepScheduler(
        algorithm_type="dpmsolver++" if "pp" in spec else "dpmsolver", final_sigmas_type="sigma_min"
    )
    scheduler.set_timesteps(10)
    ends = torch.tensor([0.9, 0.6], dtype=torch.float64)
    (ours,) = get(spec).steps(Field(small_net, PATH, "eps"), x, ends, None)

    lambdas = PATH.log_snr(ends) / 2
    inner = torch.linspace(*lambdas.tolist(), 4 if spec == "dpm3" else 3, dtype=torch.float64)
    times = PATH.time_at(2 * inner)
    scheduler.sigmas, outputs, state = (-inner).exp().float(), [], x
    for i, t in enumerate(times[:-1]):
        scheduler._step_index = i
        eps = small_net(state, t.float().expand(4))
        outputs.append(scheduler.convert_model_output(eps, sample=state))
        if i == 0:
            state = scheduler.dpm_solver_first_order_update(outputs[0], sample=x)
        elif i == 1:
            # The paper's second stage is what diffusers calls heun, and its default, midpoint, is not.
            scheduler.register_to_config(solver_type="heun" if spec == "dpm3" else "midpoint")
            state = scheduler.singlestep_dpm_solver_second_order_update(outputs, sample=x)
            scheduler.register_to_config(solver_type="midpoint")
        else:
            state = scheduler.singlestep_dpm_solver_third_order_update(outputs, sample=x)
    close(ours, state)


@pytest.mark.parametrize("steps", [2, 20])
def test_heun_flow_is_diffusers_flow_match_heun(small_net, x, steps):
    scheduler = diffusers.FlowMatchHeunDiscreteScheduler()
    scheduler.set_timesteps(steps)
    times = torch.cat((scheduler.sigmas[:-1:2].double(), torch.zeros(1)))
    ours = list(get("flow[solver=heun]").steps(Field(small_net, Linear(), "velocity"), x, times, None))
    state, expected = x, []
    for timestep in scheduler.timesteps:
        t = (timestep / 1000).expand(4)
        state = scheduler.step(small_net(state, t), timestep, state, return_dict=False)[0]
        expected.append(state)
    for a, b in zip(ours[:-1], expected[1::2], strict=True):  # its last step is Euler's, ours Heun's
        close(a, b)


@pytest.mark.parametrize("steps", [3, 20])
def test_pc_is_diffusers_sde_ve_for_a_batch_of_one(small_net, x, steps):
    path, x = VE(0.001, 50.0), 50 * x[:1]
    scheduler = diffusers.ScoreSdeVeScheduler(sigma_min=0.01, sigma_max=50.0, snr=0.16)
    scheduler.set_timesteps(steps)
    scheduler.set_sigmas(steps)
    score = lambda x, sigma: -small_net(x / 50, (sigma / 50).expand(1)) / sigma  # noqa: E731
    sigmas, generator, expected, state = scheduler.discrete_sigmas.flip(0), torch.Generator().manual_seed(1), [], x
    for i, timestep in enumerate(scheduler.timesteps):
        if i:  # it corrects before it predicts, we after
            state = scheduler.step_correct(score(state, sigmas[i]), state, generator=generator, return_dict=False)[0]
            expected.append(state)
        state = scheduler.step_pred(score(state, sigmas[i]), timestep, state, generator, return_dict=False)[0]

    field = Field(lambda x, t: score(x, path.at(t).sigma.view(1)), path, "score")
    times = path.time_at(-2 * sigmas.double().log())
    ours = list(get("pc[norms=image,variance=large]").steps(field, x, torch.cat((times, torch.zeros(1))), noise()))
    for a, b in zip(ours[:-1], expected, strict=True):
        close(a, b, atol=2e-4)


def images(spec, net, x, grid="logsnr", recipe="ddpm", steps=10):
    recipe = get_recipe(recipe)
    return sample(get(spec), Field(net, recipe.path, recipe.target), x, steps, noise(), grid)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("unipc[order=1,corrector=false]", "ddim"),
        ("sa_solver[order=1,corrector=0,tau=0]", "ddim"),
        ("dpmpp_2m_sde[eta=0]", "dpmpp_2m"),
        ("dpmpp_3m_sde[eta=0]", "dpmpp_3m"),
        ("euler", "ddim"),
        ("euler_ancestral[eta=0.5]", "ddim[eta=0.5]"),
        ("ancestral", "ddpm[clip=false]"),
        ("pc[corrections=0]", "ancestral"),
        ("pc[corrections=0,variance=large]", "ancestral[variance=large]"),
        ("deis[order=1]", "ddim"),
        ("deis[space=rho]", "lms"),
        ("ipndm[order=1]", "ddim"),
        ("deis[space=log_rho,order=1]", "ddim"),
        ("sa_solver[order=2,corrector=3,tau=0]", "unipc[order=2,variant=bh1]"),
        ("sa_solver[order=3,corrector=4,tau=0]", "unipc[order=3,variant=bh1]"),
        ("reverse_sde[level=0]", "pf_ode"),
        ("flow_sde[level=0]", "pf_ode"),
    ],
)
@pytest.mark.parametrize("recipe", ["ddpm", "flow"])
def test_two_names_of_one_map(small_net, x, one, other, recipe):
    if recipe == "flow" and "large" in one:
        with pytest.raises(SpecError, match="infinite where there is no signal; use variance=small"):
            images(one, small_net, x, recipe=recipe)
    else:
        close(images(one, small_net, x, recipe=recipe), images(other, small_net, x, recipe=recipe))


def test_unipcs_variant_matters_only_where_one_half_stands_for_rho():
    grid = PATH.along(torch.tensor([0.8, 0.71, 0.66, 0.5, 0.3, 0.1], dtype=torch.float64))
    one, other = (get(f"unipc[variant={variant}]").predictor_weights(grid) for variant in ("bh1", "bh2"))
    assert [a == b for a, b in zip(one, other, strict=True)] == [True, False, True, False, True]


CLOCKS = {"deis": "t", "deis[space=rho]": "rho", "lms": "rho", "deis[space=log_rho]": "log_rho"}


@pytest.mark.parametrize("spec", CLOCKS)
def test_multistep_weights_integrate_their_polynomials_exactly_on_an_uneven_grid(spec):
    """With eps a cubic in the method's variable, a step of order 4 is exact: x'/alpha' - x/alpha = int eps d rho."""
    variable = {"t": lambda m: m.t, "rho": lambda m: m.sigma / m.alpha, "log_rho": lambda m: (m.sigma / m.alpha).log()}
    of = variable[CLOCKS[spec]]
    cubic = lambda m: 0.3 + 0.7 * of(m) - 0.2 * of(m) ** 2 + 0.1 * of(m) ** 3  # noqa: E731
    times = torch.tensor([0.8, 0.71, 0.66, 0.5, 0.42, 0.2], dtype=torch.float64)
    field = Field(lambda x, t: cubic(PATH.at(t)).expand_as(x), PATH, "eps")
    *_, before, after = get(spec).steps(field, torch.zeros(1, 1, 1, 1, dtype=torch.float64), times, None)

    fine = torch.linspace(0.42, 0.2, 20001, dtype=torch.float64)
    moments = PATH.at(fine)
    exact = torch.trapezoid(cubic(moments).flatten(), (moments.sigma / moments.alpha).flatten())
    start, end = PATH.along(times[-2:])
    assert (after / end.alpha - before / start.alpha).item() == pytest.approx(exact.item(), rel=1e-7)


@pytest.mark.parametrize("rate", [1.0, 2.0, 1.25, -1.0])
def test_weights_in_lambda_are_the_integrals(rate):
    times = torch.tensor([0.8, 0.71, 0.66, 0.5], dtype=torch.float64)
    lambdas = PATH.log_snr(times) / 2
    f = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
    *_, weights = lambda_weights(PATH.along(times), [1, 2, 3], rate)
    powers = torch.arange(3)
    coefficients = torch.linalg.solve(lambdas[:3, None] ** powers, f)
    u = torch.linspace(lambdas[2], lambdas[3], 100001, dtype=torch.float64)
    measure = (rate * u).exp()
    mean = torch.trapezoid(measure * (u[:, None] ** powers @ coefficients), u) / torch.trapezoid(measure, u)
    assert sum(w * v for w, v in zip(weights, f.tolist()[::-1], strict=True)) == pytest.approx(mean.item(), rel=1e-8)


@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
def test_euler_maruyama_on_vp_is_the_papers(small_net, x, level):
    path, z = VP(), noise()
    ours = list(get(f"reverse_sde[level={level}]").steps(
        Field(small_net, path, "score"), x, torch.linspace(1, 0, 11, dtype=torch.float64), noise()
    ))  # fmt: skip
    for i, state in enumerate(ours[:-1]):
        t = 1 - i / 10
        beta = 0.1 + 19.9 * t
        drift = -beta / 2 * x - (1 + level**2) / 2 * beta * small_net(x, torch.full((4,), t))
        x = x - drift / 10 + (level * (beta / 10) ** 0.5 * z(x) if level else 0)
        close(state, x)
        x = state


def test_langevin_is_ncsns(small_net, x):
    path, levels, z = VE(0.01, 10.0), torch.tensor([10.0, 3.0, 0.9], dtype=torch.float64), noise()
    field = Field(lambda x, t: small_net(x / 10, t), path, "score")
    times = torch.cat((path.time_at(-2 * levels.log()), torch.zeros(1)))
    ours = list(get("langevin[inner=3,step=0.1]").steps(field, x, times, noise()))
    for i, level in enumerate(levels[:-1].tolist()):
        for _ in range(3):
            step = 0.1 * level**2
            x = x + step / 2 * field.net(x, times[i].float().expand(4)) + step**0.5 * z(x)
        close(ours[i], x)


def test_options_without_effect_are_an_error():
    with pytest.raises(SpecError, match="no effect without churn"):
        get("heun[s_noise=1.01]")
    with pytest.raises(SpecError, match="no effect without corrections"):
        get("pc[corrections=0,snr=0.2]")
