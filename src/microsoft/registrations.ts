import type { Dispatcher } from 'undici'
import type { Clock, Random } from '../core/ports.ts'
import { createBreaker } from './breaker.ts'
import type { Breaker, BreakerMode, BreakerState } from './breaker.ts'
import { createAuthenticator } from './credential.ts'
import type { Credential } from './credential.ts'
import type { FederatedTokenState } from './federated-token.ts'
import { createOrganisationFaults } from './organisation-faults.ts'
import type { OrganisationFaults } from './organisation-faults.ts'
import { createTokenEndpoint } from './token-endpoint.ts'
import type { TokenEndpoint } from './token-endpoint.ts'

/**
 * The app registrations that this process can refresh for. A refresh token belongs to the registration that got it
 * (docs/microsoft.md#refresh-tokens), so each integration names its own. Everything that one registration's trouble
 * may stop is made once for each: an expired secret of an earlier registration stops its own users only.
 */
export interface RegistrationConfig {
  clientId: string
  /** Newest first, at least one. */
  credentials: readonly Credential[]
}

export interface Registration {
  clientId: string
  breaker: Breaker
  faults: OrganisationFaults
  tokenEndpoint: TokenEndpoint
  /** Reads the file of the federated token. Undefined: the credential is another one. Never rejects. */
  federatedToken(): Promise<FederatedTokenState | undefined>
  /** From the next exchange on. Throws where a PEM cannot be read. */
  useCredentials(credentials: readonly Credential[]): void
}

export interface Registrations {
  /** The one that users connect with. */
  current: Registration
  /** Earlier ones, in their configured order. */
  previous(): Registration[]
  /** Undefined as `clientId`: the current one. Undefined as result: it is not configured. */
  find(clientId: string | undefined): Registration | undefined
  /** One that stays keeps its breaker. */
  usePrevious(clients: readonly RegistrationConfig[]): void
}

export function createRegistrations(
  options: RegistrationConfig & {
    previousClients?: readonly RegistrationConfig[]
    onBreakerChange?: (state: BreakerState, from: BreakerMode, clientId: string) => void
    onFederatedToken?: (state: FederatedTokenState) => void
  },
  {
    dispatcher,
    deadline,
    clock,
    random,
  }: { dispatcher: Dispatcher; deadline: (ms: number) => AbortSignal; clock: Clock; random: Random },
): Registrations {
  const { onBreakerChange, onFederatedToken } = options

  function create({ clientId, credentials }: RegistrationConfig): Registration {
    const authenticatorsOf = (list: readonly Credential[]) =>
      list.map((credential) => createAuthenticator(credential, clientId, clock, random, onFederatedToken))
    const authenticators = authenticatorsOf(credentials)
    return {
      clientId,
      breaker: createBreaker({
        now: () => clock.elapsed(),
        random: () => random.fraction(),
        ...(onBreakerChange && { onChange: (state, from) => onBreakerChange(state, from, clientId) }),
      }),
      faults: createOrganisationFaults(() => clock.elapsed()),
      tokenEndpoint: createTokenEndpoint({ clientId, authenticators, dispatcher, deadline, clock }),
      federatedToken: async () => authenticators[0]?.federatedToken?.(),
      useCredentials: (list) => void authenticators.splice(0, authenticators.length, ...authenticatorsOf(list)),
    }
  }

  const current = create(options)
  let previous = new Map<string, Registration>()
  const keyOf = (clientId: string): string => clientId.toLowerCase()

  function usePrevious(clients: readonly RegistrationConfig[]): void {
    previous = new Map(
      clients.map((client) => {
        const known = previous.get(keyOf(client.clientId))
        known?.useCredentials(client.credentials)
        return [keyOf(client.clientId), known ?? create(client)]
      }),
    )
  }
  usePrevious(options.previousClients ?? [])

  return {
    current,
    previous: () => [...previous.values()],
    find: (clientId) =>
      clientId === undefined || keyOf(clientId) === keyOf(current.clientId) ? current : previous.get(keyOf(clientId)),
    usePrevious,
  }
}
