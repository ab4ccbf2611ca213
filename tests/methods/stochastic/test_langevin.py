import torch

from samplerbench.methods import VE, Field, get
from samplerbench.testing.small_net import seeded_noise


def test_langevin_is_algorithm_1_of_ncsn(small_net, x):
    path, levels, z = VE(0.01, 10.0), torch.tensor([10.0, 3.0, 0.9], dtype=torch.float64), seeded_noise(1)
    field = Field(lambda x, t: small_net(x / 10, t), path, "score")
    times = torch.cat((path.time_at(-2 * levels.log()), torch.zeros(1)))
    ours = list(get("langevin[inner=3,step=0.1]").steps(field, x, times, seeded_noise(1)))
    for i, level in enumerate(levels[:-1].tolist()):
        for _ in range(3):
            step = 0.1 * level**2
            x = x + step / 2 * field.net(x, times[i].float().expand(4)) + step**0.5 * z(x)
        torch.testing.assert_close(ours[i], x, rtol=2e-5, atol=5e-5)
